// talk.h - what the program tells people: on standard error, and in a file if
// one is wanted. The options of it are those of every verb (options.c).
#ifndef LAM_TALK_H
#define LAM_TALK_H

#include "status.h"

struct talk {
    int is_quiet;    // warnings and errors alone
    int is_verbose;  // what is of use when looking for a fault, too
    int no_progress; // no line that says how far a job is
    const char *log_file;
};
extern struct talk talk;

// Makes the context's messages go where `talk` says.
void talk_start(struct lam_context *ctx);
// Opens the log file, which is added to. LAM_EFILE.
int talk_open(struct lam_context *ctx);
// The sentence that the program ends with.
void talk_error(const char *verb, const char *sentence);
bool talk_shows_progress(void);

#endif
