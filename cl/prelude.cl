// prelude: what the core puts before every plugin's source.
//
// real    the element type of the run, float or double
// REAL(x) a literal of that type: REAL(0.5) is 0.5f or 0.5
// stored  what images lie in memory as: real, or half with -DHALVES=1. READ(p, i)
//         is p[i] as real, WRITE(p, i, v) rounds v to the nearest, ties to even.
// ONCE    before a function: processors call it. PoCL compiles what is in a
//         kernel three times, what a kernel calls once.
#ifdef LAM_CPU
#define ONCE __attribute__((noinline))
#else
#define ONCE
#endif
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
#ifdef HALVES
#ifdef __clang__ // loops over halves need not become vectors
#pragma clang diagnostic ignored "-Wpass-failed"
#endif
#define stored half
#define READ(p, i) vload_half(i, p)
#define WRITE(p, i, v) vstore_half_rte(v, i, p)
#else
#define stored real
#define READ(p, i) ((p)[i])
#define WRITE(p, i, v) ((p)[i] = (v))
#endif

// Plane n * C + c of a tensor with a pitch (see lam_pitch): n * pitch + c.
long pitched_plane(const long plane, const int C, const long pitch)
{
    return plane / C * pitch + plane % C;
}
