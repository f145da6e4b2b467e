// sha256.h - SHA-256 (FIPS 180-4).
#ifndef LAM_SHA256_H
#define LAM_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct lam_sha256 {
    uint32_t h[8];
    uint64_t length;
    unsigned char block[64];
};

void lam_sha256_init(struct lam_sha256 *s);
void lam_sha256_add(struct lam_sha256 *s, const void *data, size_t size);
void lam_sha256_finish(struct lam_sha256 *s, unsigned char digest[32]);
// 64 digits and a NUL.
void lam_sha256_hex(const unsigned char digest[32], char text[65]);

#endif
