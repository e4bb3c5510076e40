/* base/snapshot.c - see snapshot.h. The file: header, sizes of the parts, parts each padded to
 * PART_ALIGNMENT, CRC-32 of everything before it. */
#include "snapshot.h"

#include "digest.h"

#include <string.h>

enum { SNAPSHOT_VERSION = 2, PART_ALIGNMENT = 8 };

static const uint8_t snapshot_magic[8] = {0x89, 'N', 'C', 'P', '\r', '\n', 0x1a, '\n'};

typedef struct SnapshotHeader {
    uint8_t  magic[8];
    uint64_t version;
    char     key[64]; // SHA-256 of key and phase, in hex
    uint64_t part_count;
} SnapshotHeader;

static double interval = 10;

double checkpoint_interval(void)
{
    return interval;
}

void checkpoint_interval_set(double seconds)
{
    interval = seconds;
}

bool checkpoint_due(const Checkpoint *checkpoint)
{
    return clock_seconds() - checkpoint->last >= interval;
}

static SnapshotHeader header_of(const Checkpoint *checkpoint, const char *stage, int64_t count)
{
    SnapshotHeader header = {.version = SNAPSHOT_VERSION, .part_count = (uint64_t)count};
    Sha256         sha;
    char           text[65];
    memcpy(header.magic, snapshot_magic, sizeof header.magic);
    sha256_start(&sha);
    sha256_add(&sha, checkpoint->key, strlen(checkpoint->key) + 1);
    sha256_add(&sha, stage, strlen(stage));
    sha256_text(&sha, text);
    memcpy(header.key, text, sizeof header.key);
    return header;
}

static size_t padding_after(size_t size)
{
    return (PART_ALIGNMENT - size % PART_ALIGNMENT) % PART_ALIGNMENT;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put(Writer *writer, uint32_t *crc, const void *data, size_t size)
{
    if (size == 0)
        return;
    *crc = digest_crc32(*crc, data, size);
    writer_bytes(writer, data, size);
}

bool checkpoint_save(Checkpoint *checkpoint, const char *name, const char *stage,
                     const SnapshotPart *parts, int64_t count, Error *error)
{
    static const uint8_t zeros[PART_ALIGNMENT];
    char                 path[LIMIT_PATH];
    SnapshotHeader       header = header_of(checkpoint, stage, count);
    Writer              *writer = NULL;
    uint32_t             crc    = 0;
    if (!checkpoint->begin(checkpoint->self, error) ||
        !path_join(path, checkpoint->folder, name, error) || !writer_open(&writer, path, error))
        return false;
    put(writer, &crc, &header, sizeof header);
    for (int64_t i = 0; i < count; i++) {
        uint64_t size = parts[i].size;
        put(writer, &crc, &size, sizeof size);
    }
    for (int64_t i = 0; i < count; i++) {
        put(writer, &crc, parts[i].data, parts[i].size);
        put(writer, &crc, zeros, padding_after(parts[i].size));
    }
    writer_bytes(writer, &crc, sizeof crc);
    if (!writer_publish(writer, error))
        return false;
    checkpoint->last = clock_seconds();
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

// Finds the parts; false if the file is not one whole snapshot. The checksum is right already.
static bool find_parts(Snapshot *snapshot, size_t end)
{
    const uint8_t *data = snapshot->file.data;
    size_t         at   = sizeof(SnapshotHeader) + (size_t)snapshot->count * sizeof(uint64_t);
    for (int64_t i = 0; i < snapshot->count; i++) {
        uint64_t size;
        memcpy(&size, data + sizeof(SnapshotHeader) + (size_t)i * sizeof size, sizeof size);
        if (size > end - at || padding_after((size_t)size) > end - at - size)
            return false;
        snapshot->parts[i] = (SnapshotPart){data + at, (size_t)size};
        at += (size_t)size + padding_after((size_t)size);
    }
    return at == end;
}

// NULL, or what is wrong with the file.
static const char *check_file(Snapshot *snapshot, const SnapshotHeader *wanted, bool *same_key,
                              Error *error)
{
    SnapshotHeader header;
    const Bytes   *file = &snapshot->file;
    uint32_t       crc;
    if (file->size < sizeof header + sizeof crc)
        return "is cut short";
    size_t end = file->size - sizeof crc;
    memcpy(&header, file->data, sizeof header);
    memcpy(&crc, file->data + end, sizeof crc);
    if (digest_crc32(0, file->data, end) != crc)
        return "does not match its checksum";
    if (memcmp(header.magic, wanted->magic, sizeof header.magic) != 0 ||
        header.version != wanted->version)
        return "is not a checkpoint of this version";
    *same_key = memcmp(header.key, wanted->key, sizeof header.key) == 0;
    if (!*same_key)
        return NULL;
    if (header.part_count > (end - sizeof header) / sizeof(uint64_t))
        return "has more parts than it can hold";
    snapshot->count = (int64_t)header.part_count;
    snapshot->parts = memory_new((size_t)snapshot->count, sizeof *snapshot->parts, error);
    return !snapshot->parts || find_parts(snapshot, end) ? NULL : "has parts of the wrong size";
}

static void warn_of(const Checkpoint *checkpoint, const char *path, const char *what)
{
    Error sentence = {0};
    fail(&sentence, ERROR_DATA, "%s: %s; this part starts over", path, what);
    checkpoint->warn(checkpoint->self, sentence.message);
}

bool checkpoint_load(Checkpoint *checkpoint, const char *name, const char *stage, Snapshot *out,
                     bool *found, Error *error)
{
    char           path[LIMIT_PATH];
    Snapshot       snapshot = {0};
    SnapshotHeader wanted   = header_of(checkpoint, stage, 0);
    bool           same_key = false;
    Error          problem  = {0};
    *found                  = false;
    if (!checkpoint->resume)
        return true;
    if (!path_join(path, checkpoint->folder, name, error))
        return false;
    if (!file_exists(path))
        return true;
    if (!file_read(path, SIZE_MAX, &snapshot.file, error))
        return false;
    const char *wrong = check_file(&snapshot, &wanted, &same_key, &problem);
    if (wrong)
        warn_of(checkpoint, path, wrong);
    *found = same_key && !wrong && !problem.code;
    if (*found)
        *out = snapshot;
    else
        snapshot_close(&snapshot);
    return !problem.code || fail(error, problem.code, "%s", problem.message);
}

bool checkpoint_restore(Checkpoint *checkpoint, const char *name, const char *stage,
                        const SnapshotPart *parts, int64_t count, bool *found, Error *error)
{
    Snapshot snapshot = {0};
    *found            = false;
    if (!checkpoint)
        return true;
    if (!checkpoint_load(checkpoint, name, stage, &snapshot, found, error))
        return false;
    bool fits =
        !*found || (snapshot.count == count && snapshot_copy_all(&snapshot, 0, parts, count));
    snapshot_close(&snapshot);
    return fits || checkpoint_refuse(checkpoint, name, error);
}

bool checkpoint_refuse(const Checkpoint *checkpoint, const char *name, Error *error)
{
    return fail(error, ERROR_DATA, "%s/%s: does not fit this run; %s", checkpoint->folder, name,
                checkpoint->remedy ? checkpoint->remedy : "without it the work starts over");
}

void snapshot_close(Snapshot *snapshot)
{
    memory_free(snapshot->parts);
    bytes_close(&snapshot->file);
    *snapshot = (Snapshot){0};
}

bool snapshot_copy(const Snapshot *snapshot, int64_t index, void *to, size_t size)
{
    return snapshot_copy_all(snapshot, index, &(SnapshotPart){to, size}, 1);
}

bool snapshot_copy_all(const Snapshot *snapshot, int64_t first, const SnapshotPart *parts,
                       int64_t count)
{
    if (first + count > snapshot->count)
        return false;
    const SnapshotPart *found = snapshot->parts + first;
    for (int64_t i = 0; i < count; i++)
        if (found[i].size != parts[i].size)
            return false;
    for (int64_t i = 0; i < count; i++)
        if (parts[i].size > 0)
            memcpy((void *)(uintptr_t)parts[i].data, found[i].data, parts[i].size);
    return true;
}
