/* engine/blob.h - the weight blob, the file (.nw) that the weights of a network are read from. Its
 * format is in DESIGN.md, "Weight blob".
 *
 * A blob is validated, not parsed: a 64-byte header, an index of fixed entries sorted by name, and
 * tensors aligned to 64 bytes, each with a CRC-32. What was read is used in place. Text about
 * the network (architecture, preparation of images, source) is a tensor named "about" of lines
 * `key=value`. Errors: ERROR_NOT_FOUND, ERROR_DATA (any broken rule, with the rule in the message).
 */
#ifndef ENGINE_BLOB_H
#define ENGINE_BLOB_H

#include "../base/file.h"
#include "engine.h"

typedef enum BlobType { BLOB_F32 = 1, BLOB_F16 = 2, BLOB_U8 = 3 } BlobType;

typedef struct BlobTensor {
    const char *name; // in the blob's memory, zero-terminated, at most 127 bytes
    BlobType    type;
    Shape       shape;
    const void *data; // 64-byte aligned
    size_t      bytes;
    uint32_t    crc;
} BlobTensor;

/* How sizes are rounded when a photo is resized by its short side and cropped at its centre. As
 * torchvision does: the long side down, the crop's offset half to even. CROP_ROUNDED: the long side
 * to the nearest pixel, the offset down. */
typedef enum CropGeometry { CROP_TORCHVISION, CROP_ROUNDED } CropGeometry;
const char *crop_geometry_name(CropGeometry geometry); // as in a blob's `about`

/* How an image becomes the network's input. RGB planes x in 0..1 (the converter has already
 * reordered the first layer of BGR networks): input = (x * scale - mean[c]) / std[c]. */
typedef struct Preparation {
    int64_t width, height; // pixels the network expects
    real    scale;         // 1 (torchvision) or 255 (Caffe)
    real    mean[3], std[3];
    int64_t
        resize_short; // short side before the centre crop, for `classify`; 0: resize to the size
    CropGeometry geometry;   // of that crop
    bool         is_bicubic; // the filter photos are resized with; else bilinear
} Preparation;

typedef struct WeightBlob WeightBlob;

bool blob_open(const char *path, WeightBlob **out, Error *error); // checks everything incl. CRCs
/* The same of bytes in memory, 64-byte aligned, that outlive the blob; `path` is their name. */
bool blob_open_memory(const char *path, const void *data, size_t size, WeightBlob **out,
                      Error *error);
/* The same of a file in memory, which becomes the blob's; `name` stands for its path. */
bool    blob_take(Bytes *file, const char *name, WeightBlob **out, Error *error);
int64_t blob_bytes(const WeightBlob *blob); // of its file
void    blob_close(WeightBlob *blob);       // NULL allowed

const char        *blob_path(const WeightBlob *blob);
const char        *blob_architecture(const WeightBlob *blob); // "vgg16", "resnet50", ...
const Preparation *blob_preparation(const WeightBlob *blob);  // NULL: says nothing about images
/* To be asked before images are prepared: true if the blob says how. Errors: ERROR_DATA. */
bool blob_takes_images(const WeightBlob *blob, Error *error);
/* The SHA-256 of the whole file, 64 hex digits; computed at the first call. */
const char       *blob_sha256(const WeightBlob *blob);
int               blob_tensor_count(const WeightBlob *blob);
const BlobTensor *blob_tensor(const WeightBlob *blob, int index);
/* The value of `key` in "about", or NULL. */
const char *blob_about(const WeightBlob *blob, const char *key);
/* A number of "about" in low..high; *value stays as it is where the key is not there. Errors:
 * ERROR_DATA (no number, or out of range). */
bool blob_number(const WeightBlob *blob, const char *key, double low, double high, double *value,
                 Error *error);

/* A tensor by name, or NULL. */
const BlobTensor *blob_lookup(const WeightBlob *blob, const char *name);

/* A float tensor of exactly this shape as reals: the blob's own for float32, a widened copy owned
 * by the blob for float16 or in the double build. */
bool blob_find(WeightBlob *blob, const char *name, Shape want, const real **data, Error *error);

/* Memory for reals derived from the blob's (a kernel with its batch norm folded in), owned by the
 * blob and found again under `key`. *is_new: to be filled by the caller. */
bool blob_derived(WeightBlob *blob, const char *key, size_t count, real **data, bool *is_new,
                  Error *error);

/* Gives back what the two functions above hold beside the file. No graph or plan made of this blob
 * may be in use any more. */
void blob_forget(WeightBlob *blob);

/* Makes the bytes of a blob with these tensors (name of at most 127 bytes, type, shape and data are
 * read) and the text "about". *out is released with memory_free. What it holds is checked where it
 * is opened. Errors: ERROR_MEMORY. */
bool blob_encode(const BlobTensor *tensors, int count, const char *about, uint8_t **out,
                 size_t *size, Error *error);

#endif
