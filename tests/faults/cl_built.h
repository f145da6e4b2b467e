// cl_built.h - programs are built once for all runs of a test: nine tenths of
// what a small run costs is the driver's compiler.
//
// A program that was built before is made of the binary kept then; whoever
// asked for it does not see that.
#ifndef LAM_FAULTS_CL_BUILT_H
#define LAM_FAULTS_CL_BUILT_H

#include <CL/cl_layer.h>

// Before the others. folder NULL: everything goes to the driver as it comes.
void built_start(const struct _cl_icd_dispatch *driver, const char *folder);
// p was made of source.
void built_add(cl_program p, cl_context c, cl_uint n, const char **texts,
               const size_t *sizes);
cl_int built_build(cl_program p, cl_uint n, const cl_device_id *devices,
                   const char *options,
                   void(CL_CALLBACK *done)(cl_program, void *), void *data);
// What to ask the driver about instead of p: p itself if nothing was kept.
cl_program built_of(cl_program p);
// One reference to p more or less.
void built_count(cl_program p, int change);

#endif
