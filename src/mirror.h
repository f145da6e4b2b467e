// mirror.h - images turned left to right (X), upside down (Y) or both.
#ifndef LAM_MIRROR_H
#define LAM_MIRROR_H

enum { LAM_MIRROR_X = 1, LAM_MIRROR_Y = 2 };

// to [height, width] becomes what from is in the mirrors of `flips`, a sum of
// the above.
void lam_mirror(const float *from, int height, int width, int flips, float *to);
// The same, added to what is there.
void lam_mirror_add(const float *from, int height, int width, int flips,
                    float *to);

#endif
