// Any bytes as a table: all cells of what is accepted can be read.
#include "csv.h"

#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lam_context ctx = {0};
    struct lam_csv csv;
    size_t length = 0;

    if (lam_csv_read(&ctx, fuzz_file(data, size), &csv)) {
        fuzz_holds(ctx.error[0]);
        return 0;
    }
    fuzz_holds(csv.n_rows > 0 && csv.n_columns > 0);
    for (int row = 0; row < csv.n_rows; row++)
        for (int column = 0; column < csv.n_columns; column++)
            length += strlen(lam_csv_cell(&csv, row, column));
    fuzz_holds(length <= size && lam_csv_column(&csv, "name") >= -1);
    lam_csv_free(&csv);
    return 0;
}
