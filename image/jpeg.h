/* image/jpeg.h - what the JPEG files of image/ share; private to image/.
 *
 * Words of the standard: a component is one colour plane, possibly at lower resolution; a block is
 * 8x8 samples of it; a scan is one pass over some components; an MCU is the group of blocks that an
 * interleaved scan stores together. Blocks are kept in natural order (row-major), not in zigzag.
 * Samples are kept for two rows of MCUs only: rows of pixels are made as soon as they can be.
 * Source: ITU-T T.81 (JPEG); the arithmetic that the standard leaves open follows libjpeg. */
#ifndef IMAGE_JPEG_H
#define IMAGE_JPEG_H

#include "limits.h"

/* ---- tables ---------------------------------------------------------------------------------- */

enum { JPEG_COMPONENTS = 4, JPEG_BLOCKS_IN_MCU = 10 };

enum {
    MARKER_SOF0 = 0xC0,
    MARKER_SOF1 = 0xC1,
    MARKER_SOF2 = 0xC2,
    MARKER_DHT  = 0xC4,
    MARKER_RST0 = 0xD0,
    MARKER_SOI  = 0xD8,
    MARKER_EOI  = 0xD9,
    MARKER_SOS  = 0xDA,
    MARKER_DQT  = 0xDB,
    MARKER_DRI  = 0xDD,
    MARKER_APP0 = 0xE0
};

typedef struct HuffmanSpec {
    uint8_t counts[16];   // codes of 1..16 bits
    uint8_t symbols[256]; // in order of their codes
} HuffmanSpec;

extern const uint8_t     jpeg_zigzag[64];    // natural position of the k-th coefficient
extern const HuffmanSpec jpeg_huffman[2][2]; // [luminance, chrominance][DC, AC]; T.81 annex K.3
extern const uint8_t     jpeg_quantization[2][64]; // natural order; T.81 annex K.1

/* ---- transforms ------------------------------------------------------------------------------ */

/* 8x8 samples (stride in bytes) to coefficients scaled by 8. */
void jpeg_forward_dct(const uint8_t *samples, size_t stride, int32_t coefs[64]);

/* Dequantized coefficients to samples in 0..255. */
void jpeg_inverse_dct(const int16_t coefs[64], const uint16_t quant[64], uint8_t *samples,
                      size_t stride);

/* ---- decoder state --------------------------------------------------------------------------- */

typedef struct HuffmanTable {
    bool     known;
    uint16_t fast[1 << 9]; // by the next 9 bits: length << 8 | symbol, 0 for longer codes
    uint32_t limit[18];    // by length: first 16-bit pattern beyond its codes
    int32_t  offset[17];   // by length: index of its first symbol minus its first code
    uint8_t  symbols[256];
} HuffmanTable;

/* The entropy-coded bytes of a scan, without stuffing, as a window of bits, first at the top. Past
 * the end the window continues with zero bits, which are counted. */
typedef struct BitReader {
    const uint8_t *next, *end;
    uint64_t       window;
    int            bits;
    size_t         beyond; // zero bytes supplied past the end
} BitReader;

typedef struct JpegComponent {
    int      id, h, v; // sampling factors
    int      quant_index;
    bool     has_quant;                // quant was copied when its first scan began
    uint16_t quant[64];                // natural order
    int      width, height;            // samples that count
    int      blocks_wide, blocks_high; // blocks that count
    int      padded_wide, padded_high; // in whole MCUs
    int16_t *coefs;                    // [padded_high][padded_wide][64]; NULL when streaming
    uint8_t *ring;                     // rows of two rows of MCUs: [16 * v][padded_wide * 8]
    int      dc_table, ac_table;       // of the current scan
    uint32_t last_dc;                  // of the current scan; wraps for broken files
} JpegComponent;

// Contributions of Cb and Cr, 16 fractional bits for green.
typedef struct ColorTables {
    int32_t cr_red[256], cb_blue[256], cr_green[256], cb_green[256];
} ColorTables;

typedef struct Jpeg {
    const char   *name;
    bool          has_frame, progressive;
    int           width, height, component_count, max_h, max_v;
    int           mcus_wide, mcus_high;
    JpegComponent components[JPEG_COMPONENTS];
    uint16_t      quants[4][64]; // natural order
    bool          has_quants[4];
    HuffmanTable  dc[4], ac[4];
    int           restart_interval;
    bool          has_jfif, has_adobe;
    int           adobe_transform, orientation;
    int           scans;
    uint64_t      work; // coefficient visits so far
    DecodeClock   clock;
    // the picture, once its rows are being made
    uint8_t    *pixels;    // [height][width][component_count]
    uint8_t    *lines;     // a row of every component at full width
    size_t      line_size; // samples of one
    uint16_t   *sums;      // of two rows
    ColorTables colors;
    // the current scan
    JpegComponent *scan_components[JPEG_COMPONENTS];
    int            scan_count;
    int            band_first, band_last, bit_high, bit_low;
    uint32_t       end_run; // blocks left in a run of ended bands
    BitReader      reader;
} Jpeg;

/* Prepares a table for decoding; false if the lengths allow no prefix code, or a DC symbol is over
 * 15. `symbol_count` is the sum of counts. */
bool jpeg_huffman_make(HuffmanTable *table, const HuffmanSpec *spec, bool is_dc);

/* Decodes the entropy-coded data at *at for the scan described in `jpeg`; *at moves to the marker
 * behind it. Blocks go to the components' coefs; without these, to their rings and on to pixels. */
bool jpeg_scan_decode(Jpeg *jpeg, const uint8_t *data, size_t size, size_t *at, Error *error);

/* Allocates the picture, the rings and what lies between them. */
bool jpeg_rows_start(Jpeg *jpeg, Error *error);

/* Puts the samples of a block into the ring; x and y count the component's blocks. */
void jpeg_block_put(const JpegComponent *component, const int16_t coefs[64], int x, int y);

/* Makes the rows of pixels that a further row of MCUs, the first being 0, has made possible:
 * 1, 3 (RGB) or 4 channels (CMYK, 255 = full ink). */
void jpeg_rows_make(Jpeg *jpeg, int mcu_row);

#endif
