// gemm_sets.h - which parameters of CLBlast's GEMM are worth a try. Each set is
// complete and keeps the rules of its kernels (gemm_rules.h):
//   Xgemm, on matrices brought to its layout first: MWG x NWG results a
//   work-group of MDIMC x NDIMC items, KWG of the sum at a time, unrolled by
//   KWI; MWG a multiple of MDIMC * VWM and MDIMA * VWM, NWG of NDIMC * VWN and
//   NDIMB * VWN, KWG of MDIMC * NDIMC / MDIMA and MDIMC * NDIMC / NDIMB; SA,
//   SB: through local memory. GEMMK=1 is the kernel without it, for processors
//   and GPUs with large caches; MWG is NWG there. XgemmDirect, on matrices as
//   they lie: WGD x WGD results, and so on.
// The sets differ in what matters most, the work of an item and of a group;
// they are no database of devices. Best bets first, as time may run out.
#ifndef LAM_GEMM_SETS_H
#define LAM_GEMM_SETS_H

#include <stddef.h>

#define XGEMM(mwg, nwg, kwg, kwi, mdim, ndim, mdima, ndimb, vwm, vwn, local)   \
    "Xgemm GEMMK=0 KREG=1 KWG=" #kwg " KWI=" #kwi " MDIMA=" #mdima             \
    " MDIMC=" #mdim " MWG=" #mwg " NDIMB=" #ndimb " NDIMC=" #ndim " NWG=" #nwg \
    " SA=" #local " SB=" #local " STRM=0 STRN=0 VWM=" #vwm " VWN=" #vwn
#define XGEMM_REGISTERS(mwg, nwg, kreg, mdim, ndim, vw)                        \
    "Xgemm GEMMK=1 KREG=" #kreg " KWG=1 KWI=1 MDIMA=" #mdim " MDIMC=" #mdim    \
    " MWG=" #mwg " NDIMB=" #ndim " NDIMC=" #ndim " NWG=" #nwg                  \
    " SA=0 SB=0 STRM=0 STRN=0 VWM=" #vw " VWN=" #vw
#define XGEMM_DIRECT(wgd, mdim, ndim, mdima, ndimb, kwid, vw)                  \
    "XgemmDirect KWID=" #kwid " MDIMAD=" #mdima " MDIMCD=" #mdim               \
    " NDIMBD=" #ndimb " NDIMCD=" #ndim " PADA=1 PADB=1 VWMD=" #vw " VWND=" #vw \
    " WGD=" #wgd

static const char *const lam_gemm_sets_copied[] = {
    XGEMM(64, 64, 16, 2, 8, 8, 8, 8, 4, 4, 1),
    XGEMM(128, 128, 16, 2, 16, 16, 32, 32, 4, 4, 1),
    XGEMM(128, 64, 16, 2, 16, 8, 16, 16, 4, 4, 1),
    XGEMM(64, 128, 16, 2, 8, 16, 16, 32, 4, 4, 1),
    XGEMM(64, 64, 16, 2, 16, 16, 16, 16, 2, 2, 1),
    XGEMM(64, 64, 32, 2, 8, 8, 8, 8, 4, 4, 0),
    XGEMM(128, 128, 32, 2, 16, 16, 16, 16, 2, 2, 1),
    XGEMM(32, 32, 16, 2, 8, 8, 8, 8, 2, 2, 1),
    XGEMM(128, 64, 32, 2, 16, 8, 16, 8, 8, 4, 0),
    XGEMM(32, 64, 32, 2, 8, 8, 8, 8, 4, 4, 1),
    XGEMM_REGISTERS(64, 64, 4, 8, 8, 4),
    XGEMM_REGISTERS(32, 32, 4, 8, 8, 4),
    NULL};

static const char *const lam_gemm_sets_direct[] = {
    XGEMM_DIRECT(32, 8, 8, 8, 8, 2, 2),
    XGEMM_DIRECT(64, 16, 16, 16, 16, 2, 4),
    XGEMM_DIRECT(64, 8, 8, 8, 8, 2, 4),
    XGEMM_DIRECT(32, 16, 16, 16, 16, 2, 2),
    XGEMM_DIRECT(32, 8, 8, 8, 8, 2, 4),
    XGEMM_DIRECT(16, 8, 8, 8, 8, 2, 1),
    NULL};

#endif
