// data_import.h - published collections of mammograms as data sets.
#ifndef LAM_DATA_IMPORT_H
#define LAM_DATA_IMPORT_H

#include "data_writer.h"
#include "image.h"

// What an import has met, for its last line.
struct data_import {
    struct lam_context *ctx;
    struct data_writer *writer;
    const struct data_changes *changes;
    int n_left_out; // each named in the log
};

// folder: as published. LAM_EDATA names the file, the line and what is wrong
// where the collection cannot be read at all; single cases that are bad are
// named and left out.
int data_import(struct lam_context *ctx, const char *format, const char *folder,
                const char *out, const struct data_changes *changes);

// MIAS: mdbNNN.pgm beside Info.txt (or info.txt): reference number, tissue,
// class, severity, x, y, radius; y counts from the bottom. Lesions are filled
// circles; those without a place are left out. Odd and even numbers are a pair
// of one woman.
int import_mias(struct data_import *import, const char *folder);

// DDSM: the cases' folders with NAME.LEFT_CC.png (or .pgm) made from the LJPEG
// files, and NAME.LEFT_CC.OVERLAY: outlines as chain codes. Views without an
// OVERLAY file have no lesion.
int import_ddsm(struct data_import *import, const char *folder);

// CBIS-DDSM: the collection's CSV files beside the folders of its DICOM files,
// read through dcmtk's dcmj2pnm. Masks of one scan are joined; scans and masks
// are told apart by size where their files are exchanged; a mask of another
// aspect than its scan is named and left out.
int import_cbis(struct data_import *import, const char *folder);

// Names the case and why it is not taken.
void import_leave_out(struct data_import *import, const char *format, ...)
    LAM_PRINTF(2, 3);
// An image of the name, whatever its ending, in the folder; NULL if none.
// *path: 1200 characters.
bool import_find(const char *folder, const char *name, char *path);

#endif
