/* tests/test_npy.c - arrays on disk: what is written reads back, what is broken is refused. */
#include "../base/file.h"
#include "../format/npy.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static void arrays_read_back(void)
{
    float data[24], *back = NULL;
    char  path[512];
    Shape shapes[5] = {shape_scalar(), shape_1d(24), shape_2d(4, 6), shape_3d(2, 3, 4),
                       shape_4d(1, 2, 3, 4)};
    for (int i = 0; i < 24; i++)
        data[i] = (float)i / 7;
    snprintf(path, sizeof path, "%s/a.npy", test_folder());
    for (int rank = 0; rank <= 4; rank++) {
        Shape shape;
        Error error = {0};
        REQUIRE(npy_write(path, data, shapes[rank], &error));
        REQUIRE(npy_read(path, &back, &shape, &error));
        CHECK(shape_equal(shape, shapes[rank]));
        CHECK(memcmp(back, data, (rank ? 24 : 1) * sizeof *data) == 0);
        memory_free(back);
    }
}

static void header_is_what_numpy_writes(void)
{
    float data[2] = {1, 2};
    char  path[512];
    Bytes bytes = {0};
    snprintf(path, sizeof path, "%s/a.npy", test_folder());
    REQUIRE(npy_write(path, data, shape_1d(2), NULL) && file_read(path, 4096, &bytes, NULL));
    static const char wanted[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    CHECK(bytes.size == 128 + 8);
    CHECK(memcmp(bytes.data, "\x93NUMPY\x01\x00\x76\x00", 10) == 0);
    CHECK(memcmp(bytes.data + 10, wanted, sizeof wanted - 1) == 0);
    CHECK(bytes.data[127] == '\n');
    bytes_close(&bytes);
}

static bool parses(const char *header, size_t floats, Error *error)
{
    uint8_t bytes[512];
    size_t  length = strlen(header);
    float  *data   = NULL;
    Shape   shape;
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (uint8_t)length;
    bytes[9] = 0;
    memcpy(bytes + 10, header, length);
    memset(bytes + 10 + length, 0, floats * 4);
    bool ok = npy_parse(bytes, 10 + length + floats * 4, "a.npy", &data, &shape, error);
    memory_free(data);
    return ok;
}

static void broken_headers_are_refused(void)
{
    static const struct {
        const char *header, *message;
    } cases[] = {
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
         "a.npy: its type is not little-endian float32 ('<f4')"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }",
         "a.npy: its order is not C order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2), }",
         "a.npy: its shape is not a tuple of at most 4 numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 2), }",
         "a.npy: its shape is not a tuple of at most 4 numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,), }",
         "a.npy: its shape is not a tuple of at most 4 numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
         "a.npy: holds 8 bytes of data, its shape needs 12"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
         "a.npy: its shape has a zero or overflows"},
        {"{'descr': '<f4', 'fortran_order': False, }", "a.npy: its header lacks a key"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
         "a.npy: its header has an unknown or repeated key"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (2,), }",
         "a.npy: its header lacks a comma"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x",
         "a.npy: its header goes on after the dictionary"},
        {"[]", "a.npy: its header is not a dictionary"},
    };
    CHECK(parses("{'shape': (2,),  'fortran_order': False, 'descr': '<f4'}  \n", 2, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {0};
        CHECK(!parses(cases[i].header, 2, &error));
        CHECK_REFUSED("npy", &error, cases[i].message);
    }
}

static void every_truncation_is_refused(void)
{
    float data[6] = {0}, *back = NULL;
    char  path[512];
    Bytes bytes = {0};
    Shape shape;
    snprintf(path, sizeof path, "%s/a.npy", test_folder());
    REQUIRE(npy_write(path, data, shape_2d(2, 3), NULL) && file_read(path, 4096, &bytes, NULL));
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *cut = memory_new(size, 1, NULL); // its own block: an over-read is seen
        memcpy(cut, bytes.data, size);
        Error error = {0};
        CHECK(!npy_parse(cut, size, "a.npy", &back, &shape, &error));
        CHECK(error.code == ERROR_DATA);
        memory_free(cut);
    }
    bytes_close(&bytes);
}

SUITE(npy)
{
    RUN(arrays_read_back);
    RUN(header_is_what_numpy_writes);
    RUN(broken_headers_are_refused);
    RUN(every_truncation_is_refused);
}
