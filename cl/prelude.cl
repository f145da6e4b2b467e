// prelude: what the core puts before every plugin's source.
//
// real    the element type of the run, float or double
// REAL(x) a literal of that type: REAL(0.5) is 0.5f or 0.5
// ONCE    before a function: compiled as one. PoCL compiles what is in a kernel
//         three times, what a kernel calls once.
#define ONCE __attribute__((noinline))
#ifdef LAM_F64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
typedef double real;
typedef double2 real2;
typedef double4 real4;
#define REAL(x) x
#define REAL_MAX DBL_MAX
#else
typedef float real;
typedef float2 real2;
typedef float4 real4;
#define REAL(x) x##f
#define REAL_MAX FLT_MAX
#endif
