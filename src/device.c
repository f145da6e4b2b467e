// Which devices there are, which one is meant, and what to say when none is.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "queue.h"

enum { MAX_PLATFORMS = 16, MAX_CARDS = 16 };

// A device being asked what it is; the first question that failed.
struct asked {
    cl_device_id device;
    const char *call;
    cl_int error;
};

// A device of an older OpenCL does not know the question: that is an answer.
static void note(struct asked *a, const char *call, cl_int error)
{
    if (a->error || !error || error == CL_INVALID_VALUE)
        return;
    a->call = call;
    a->error = error;
}

static void get(struct asked *a, cl_device_info what, size_t size, void *value)
{
    note(a, "clGetDeviceInfo",
         clGetDeviceInfo(a->device, what, size, value, NULL));
}

static cl_ulong get_long(struct asked *a, cl_device_info what)
{
    cl_ulong value = 0;

    get(a, what, sizeof(value), &value);
    return value;
}

static cl_uint get_int(struct asked *a, cl_device_info what)
{
    cl_uint value = 0;

    get(a, what, sizeof(value), &value);
    return value;
}

static size_t get_size(struct asked *a, cl_device_info what)
{
    size_t value = 0;

    get(a, what, sizeof(value), &value);
    return value;
}

// A text longer than the field is cut; without this it would be empty.
static void get_text(struct asked *a, cl_device_info what, char *text,
                     size_t size)
{
    char whole[1024] = "";
    const char *start = whole;

    get(a, what, sizeof(whole) - 1, whole);
    start += strspn(start, " ");
    snprintf(text, size, "%.*s", (int)size - 1, start);
}

static void fill_row(cl_platform_id platform, cl_device_id d, int index,
                     struct lam_device_row *row)
{
    struct asked asked = {.device = d};
    const cl_ulong type = get_long(&asked, CL_DEVICE_TYPE);
    int major = 0, minor = 0;

    *row = (struct lam_device_row){.index = index};
    get_text(&asked, CL_DEVICE_NAME, row->name, sizeof(row->name));
    get_text(&asked, CL_DEVICE_VENDOR, row->vendor, sizeof(row->vendor));
    get_text(&asked, CL_DRIVER_VERSION, row->driver, sizeof(row->driver));
    get_text(&asked, CL_DEVICE_VERSION, row->version, sizeof(row->version));
    note(&asked, "clGetPlatformInfo",
         clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(row->platform),
                           row->platform, NULL));
    row->info = (struct lam_device){
        .kind = type & CL_DEVICE_TYPE_CPU ? LAM_DEVICE_CPU : LAM_DEVICE_GPU,
        .compute_units = (int32_t)get_int(&asked, CL_DEVICE_MAX_COMPUTE_UNITS),
        .vector_width =
            (int32_t)get_int(&asked, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT),
        .has_f64 = get_long(&asked, CL_DEVICE_DOUBLE_FP_CONFIG) != 0,
        .has_local_memory =
            get_int(&asked, CL_DEVICE_LOCAL_MEM_TYPE) == CL_LOCAL,
        .local_bytes = (int64_t)get_long(&asked, CL_DEVICE_LOCAL_MEM_SIZE),
        .max_work_group =
            (int64_t)get_size(&asked, CL_DEVICE_MAX_WORK_GROUP_SIZE),
        .max_alloc_bytes =
            (int64_t)get_long(&asked, CL_DEVICE_MAX_MEM_ALLOC_SIZE),
        .global_bytes = (int64_t)get_long(&asked, CL_DEVICE_GLOBAL_MEM_SIZE)};
    row->part_bytes = get_int(&asked, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
    if (!get_int(&asked, CL_DEVICE_AVAILABLE))
        snprintf(row->problem, sizeof(row->problem), "is not available");
    else if (!get_int(&asked, CL_DEVICE_COMPILER_AVAILABLE))
        snprintf(row->problem, sizeof(row->problem),
                 "has no compiler for kernels");
    else if (sscanf(row->version, "OpenCL %d.%d", &major, &minor) == 2 &&
             10 * major + minor < 12)
        snprintf(row->problem, sizeof(row->problem),
                 "speaks OpenCL %d.%d, 1.2 is needed", major, minor);
    else if (!get_int(&asked, CL_DEVICE_ENDIAN_LITTLE))
        snprintf(row->problem, sizeof(row->problem), "is big-endian");
    if (asked.error)
        snprintf(row->problem, sizeof(row->problem),
                 "does not say what it is: %s failed with %s (%d)", asked.call,
                 lam_cl_error_name(asked.error), asked.error);
}

const char *lam_device_advice(void)
{
    static const struct {
        const char *vendor, *advice;
    } known[] = {
        {"0x1002", "for the AMD GPU of this machine install mesa-opencl-icd "
                   "(and set RUSTICL_ENABLE=radeonsi) or rocm-opencl-icd"},
        {"0x8086", "for the Intel GPU of this machine install "
                   "intel-opencl-icd (and join the group 'render')"},
        {"0x10de", "for the NVIDIA GPU of this machine install "
                   "nvidia-opencl-icd, which belongs to NVIDIA's driver"},
    };

    for (int card = 0; card < MAX_CARDS; card++) {
        char path[64], vendor[16] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/sys/class/drm/card%d/device/vendor",
                 card);
        file = fopen(path, "r");
        if (!file)
            continue;
        if (!fgets(vendor, sizeof(vendor), file))
            vendor[0] = '\0';
        fclose(file);
        vendor[strcspn(vendor, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (strcmp(vendor, known[i].vendor) == 0)
                return known[i].advice;
    }
    // NVIDIA's driver need not show a card there.
    return access("/proc/driver/nvidia/version", F_OK) ? NULL : known[2].advice;
}

static int fail_none(struct lam_context *ctx, cl_int error, cl_uint n_platforms,
                     const char *failed)
{
    const char *advice = lam_device_advice(),
               *vendors = getenv("OCL_ICD_VENDORS");

    if (n_platforms > 0)
        return lam_fail(ctx, LAM_EDEVICE, "no OpenCL device was found: %s; %s",
                        failed,
                        advice ? advice
                               : "its driver finds nothing to offer (PoCL "
                                 "reads POCL_DEVICES, and wants HOME or "
                                 "POCL_CACHE_DIR for its cache)");
    if (!advice)
        advice = "install pocl-opencl-icd to compute on the processor, or the "
                 "OpenCL driver of your GPU";
    if (error && error != -1001)
        return lam_fail(ctx, LAM_EDEVICE,
                        "no OpenCL platform was found: clGetPlatformIDs "
                        "failed with %s (%d); %s",
                        lam_cl_error_name(error), error, advice);
    if (vendors)
        return lam_fail(ctx, LAM_EDEVICE,
                        "no OpenCL driver was found in '%s', which "
                        "OCL_ICD_VENDORS names instead of /etc/OpenCL/vendors; "
                        "unset it, or %s",
                        vendors, advice);
    return lam_fail(ctx, LAM_EDEVICE,
                    "no OpenCL driver is installed, or none can be loaded; %s",
                    advice);
}

// All devices of all platforms, in the drivers' order: the index is stable.
static int ask_all(struct lam_context *ctx,
                   struct lam_found found[LAM_MAX_DEVICES], int *n)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0;
    const cl_int error =
        clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms);
    char failed[300] = "";

    *n = 0;
    if (error)
        n_platforms = 0;
    if (n_platforms > MAX_PLATFORMS)
        n_platforms = MAX_PLATFORMS;
    for (cl_uint p = 0; p < n_platforms; p++) {
        cl_device_id devices[LAM_MAX_DEVICES];
        cl_uint n_devices = 0;
        const cl_int none =
            clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, LAM_MAX_DEVICES,
                           devices, &n_devices);
        char name[128] = "";

        if (none || n_devices == 0) {
            clGetPlatformInfo(platforms[p], CL_PLATFORM_NAME, sizeof(name),
                              name, NULL);
            snprintf(failed, sizeof(failed),
                     "platform '%s' has no device (clGetDeviceIDs: %s, %d)",
                     name, lam_cl_error_name(none ? none : -1),
                     none ? none : -1);
            lam_log(ctx, LAM_LOG_INFO, "%s", failed);
            continue;
        }
        for (cl_uint d = 0; d < n_devices && *n < LAM_MAX_DEVICES; d++) {
            found[*n].platform = platforms[p];
            found[*n].device = devices[d];
            fill_row(platforms[p], devices[d], *n, &found[*n].row);
            (*n)++;
        }
    }
    return *n > 0 ? LAM_OK : fail_none(ctx, error, n_platforms, failed);
}

static int find_all(struct lam_context *ctx,
                    struct lam_found found[LAM_MAX_DEVICES], int *n)
{
    int err;

    ctx->is_finding = true;
    err = ask_all(ctx, found, n);
    ctx->is_finding = false;
    return err;
}

int lam_device_list(struct lam_context *ctx, struct lam_device_row **rows,
                    int *n)
{
    struct lam_found *found = calloc(LAM_MAX_DEVICES, sizeof(*found));
    int err = LAM_OK;

    *rows = NULL;
    *n = 0;
    if (!found)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    err = find_all(ctx, found, n);
    if (!err) {
        *rows = calloc((size_t)*n, sizeof(**rows));
        if (!*rows)
            err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    for (int i = 0; i < *n && !err; i++)
        (*rows)[i] = found[i].row;
    free(found);
    return err;
}

static bool contains(const char *text, const char *part)
{
    const size_t n = strlen(part);

    for (; *text; text++)
        if (strncasecmp(text, part, n) == 0)
            return true;
    return false;
}

static bool row_fits(const struct lam_device_row *row, const char *wanted)
{
    char *end;
    const long index = strtol(wanted, &end, 10);

    if (wanted[0] == '\0')
        return true;
    if (*end == '\0')
        return index == row->index;
    if (strcasecmp(wanted, "gpu") == 0)
        return row->info.kind == LAM_DEVICE_GPU;
    if (strcasecmp(wanted, "cpu") == 0)
        return row->info.kind == LAM_DEVICE_CPU;
    return contains(row->name, wanted) || contains(row->platform, wanted);
}

static int compare_found(const void *a, const void *b)
{
    const struct lam_device_row *x = &((const struct lam_found *)a)->row;
    const struct lam_device_row *y = &((const struct lam_found *)b)->row;

    if (x->info.kind != y->info.kind)
        return y->info.kind - x->info.kind;
    if (x->info.compute_units != y->info.compute_units)
        return y->info.compute_units - x->info.compute_units;
    return x->index - y->index;
}

static int fail_choice(struct lam_context *ctx, const char *wanted, int n,
                       const struct lam_found *problem)
{
    const char *advice = lam_device_advice();

    if (problem)
        return lam_fail(
            ctx, LAM_EDEVICE, "device %d (%s) cannot be used: it %s",
            problem->row.index, problem->row.name, problem->row.problem);
    if (strcasecmp(wanted, "gpu") == 0)
        return lam_fail(ctx, LAM_EDEVICE,
                        "no OpenCL driver offers a GPU%s%s; lamina devices "
                        "lists what is there",
                        advice ? ": " : "", advice ? advice : "");
    return lam_fail(ctx, LAM_EDEVICE,
                    "no device fits '%s' among the %d there are; lamina "
                    "devices lists them",
                    wanted, n);
}

int lam_device_choose(struct lam_context *ctx, const char *wanted,
                      struct lam_found found[LAM_MAX_DEVICES], int *n)
{
    struct lam_found problem = {.row.index = -1};
    int n_all = 0, err = find_all(ctx, found, &n_all);
    const char *advice;

    *n = 0;
    if (err)
        return err;
    for (int i = 0; i < n_all; i++) {
        const struct lam_found f = found[i];

        if (!row_fits(&f.row, wanted))
            continue;
        if (f.row.problem[0]) {
            problem = f;
            lam_log(ctx, LAM_LOG_WARNING, "device %d (%s) %s", f.row.index,
                    f.row.name, f.row.problem);
            continue;
        }
        found[(*n)++] = f;
    }
    if (*n == 0)
        return fail_choice(ctx, wanted, n_all,
                           problem.row.index < 0 ? NULL : &problem);
    qsort(found, (size_t)*n, sizeof(found[0]), compare_found);
    advice = lam_device_advice();
    if (wanted[0] == '\0' && found[0].row.info.kind == LAM_DEVICE_CPU && advice)
        lam_log(ctx, LAM_LOG_INFO,
                "computing on the processor, no OpenCL driver offers the GPU; "
                "%s",
                advice);
    return LAM_OK;
}
