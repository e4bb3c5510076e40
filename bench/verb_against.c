/* bench/verb_against.c - the same work by this engine and by another program, turn by turn, so that
 * both see the same machine: networks, products, steps of a training and of an attack on a map.
 *
 * The other program is started as `sh bench/peers/start.sh NAME THREADS FOLDER KIND ...` and spoken
 * to over pipes: its first line is `ready` and what it is, or `absent` and a sentence; then it
 * answers a number N with the ms of one of N runs in a row and, if it can, by how many bytes its
 * memory was ever larger than before the first. FOLDER holds what both work on (weights.nw,
 * pixels.f32); after its first answer the peer has left output.f32 there, which is compared with
 * ours. */
#include "ours.h"

#include "../base/parallel.h"
#include "peer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const Case cases[] = {
    {.arch = "vgg16", .upto = "conv5_3", .batch = 8, .peers = "torch onnxruntime"},
    {.arch = "vgg16", .upto = "conv5_3", .batch = 8, .input_gradient = true, .peers = "torch"},
    {.arch = "vgg16", .upto = "conv5_3", .batch = 1, .peers = "torch onnxruntime"},
    {.arch = "resnet50", .batch = 8, .peers = "torch onnxruntime"},
    {.arch = "resnet50", .batch = 8, .input_gradient = true, .peers = "torch"},
    {.arch = "resnet50", .batch = 1, .peers = "torch onnxruntime"},
    {.arch = "vit_b_16", .batch = 8, .peers = "torch"},
    {.arch = "vit_b_16", .batch = 8, .input_gradient = true, .peers = "torch"},
    {.arch = "vit_b_16", .batch = 1, .peers = "torch"},
    {.arch = "vit_b_16", .batch = 1, .input_gradient = true, .peers = "torch"},
    {.arch = "resnet20", .batch = 128, .is_training = true, .peers = "torch"},
    {.arch = "lenet", .batch = 128, .is_training = true, .peers = "torch"},
    {.arch = "resnet18_cifar", .batch = 128, .is_training = true, .peers = "torch"},
    {.arch = "resnet20", .batch = 128, .is_training = true, .is_aligned = true, .peers = "torch"},
    {.arch = "lenet", .batch = 128, .is_training = true, .is_aligned = true, .peers = "torch"},
    {.arch        = "resnet18_cifar",
     .batch       = 128,
     .is_training = true,
     .is_aligned  = true,
     .peers       = "torch"},
    {.arch = "vgg16", .batch = 1, .is_map_attack = true, .peers = "torch"},
    {.arch = "resnet50", .batch = 1, .is_map_attack = true, .peers = "torch"},
    {.m = 256, .n = 256, .k = 256, .peers = "torch openblas"},
    {.m = 768, .n = 768, .k = 768, .peers = "torch openblas"},
    {.m = 64, .n = 3136, .k = 576, .peers = "torch openblas"},
};
enum { CASES = sizeof cases / sizeof *cases };

static void case_name(const Case *one, char out[64])
{
    if (!one->arch)
        snprintf(out, 64, "product %lldx%lldx%lld", (long long)one->m, (long long)one->n,
                 (long long)one->k);
    else
        snprintf(out, 64, "%s%s%s %s b%lld", one->arch, one->is_training ? "" : " ",
                 one->is_training ? ""
                 : one->upto      ? one->upto
                                  : "logits",
                 one->is_aligned       ? "l2-cosd step"
                 : one->is_map_attack  ? "map-attack step"
                 : one->is_training    ? "step"
                 : one->input_gradient ? "input-gradient"
                                       : "forward",
                 (long long)one->batch);
}

/* ---- turns --------------------------------------------------------------------------------------
 */

/* Before each turn, ours and theirs: threads of other programs look for more work for a while
 * before they sleep. OpenBLAS's do so for 2^28 ticks of the processor's clock, seen to be 103 to
 * 112 ms; ONNX Runtime's end with the run. */
enum { REST_MS = 200 };

static void let_both_rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = REST_MS * 1000000}, NULL);
}

/* The ms of one run, cpu ms of it; many in a row where they are short. */
static double our_turn(const Ours *ours, int repeats, double *cpu)
{
    double cpu_start = clock_cpu_seconds(), start = clock_seconds();
    for (int i = 0; i < repeats; i++)
        ours->work(ours->data);
    double ms = (clock_seconds() - start) * 1e3 / repeats;
    *cpu      = (clock_cpu_seconds() - cpu_start) * 1e3 / repeats;
    return ms;
}

typedef struct Turns {
    Timing ours, theirs;
    double cpu_ratio; // of processor times of the turns alone; 0: not known
    double shared, their_shared, distance;
    double bytes, their_bytes; // 0: not known
} Turns;

/* Adds what a process had and waited from `before` on. */
static void add_core_time(CoreTime *sum, CoreTime before, int64_t process)
{
    CoreTime after = core_time(process);
    if (sum->waited < 0 || before.waited < 0 || after.waited < 0)
        sum->waited = -1;
    else
        *sum = (CoreTime){sum->had + after.had - before.had,
                          sum->waited + after.waited - before.waited};
}

static bool take_turns(Turns *out, Ours *ours, Peer *peer, const Case *one, const char *folder,
                       int runs, Error *error)
{
    const double shortest = 200; // ms of a turn: the first run finds caches cold
    double      *ms       = memory_new(4 * (size_t)runs, sizeof *ms, error), unused;
    if (!ms)
        return false;
    double warm    = our_turn(ours, 1, &unused);
    int    repeats = warm < shortest ? (int)(shortest / (warm + 1e-4)) + 1 : 1;
    bool   ok      = peer_turn(peer, 1, &unused, error) &&
              ours_distance(ours, one, folder, &out->distance, error);
    CoreTime our_time = {0}, their_time = {0};
    for (int run = 0; ok && run < runs; run++) {
        let_both_rest();
        CoreTime before = core_time(0);
        ms[run]         = our_turn(ours, repeats, &ms[runs + run]);
        add_core_time(&our_time, before, 0);
        let_both_rest();
        before = core_time(peer->process);
        ok     = peer_turn(peer, repeats, &ms[2 * runs + run], error);
        add_core_time(&their_time, before, peer->process);
    }
    if (ok && ours_error(ours)->code)
        ok = fail(error, ours_error(ours)->code, "%s", ours_error(ours)->message);
    if (ok) {
        out->bytes        = (double)ours_bytes(ours);
        out->their_bytes  = peer->bytes;
        out->shared       = core_time_shared((CoreTime){0}, our_time);
        out->their_shared = core_time_shared((CoreTime){0}, their_time);
        out->cpu_ratio =
            out->shared >= 0 && out->their_shared >= 0 ? their_time.had / our_time.had : 0;
        out->ours   = timing_of(ms, ms + runs, runs);
        out->theirs = timing_of(ms + 2 * runs, ms + 3 * runs, runs);
    }
    memory_free(ms);
    return ok;
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static void print_megabytes(double bytes)
{
    if (bytes > 0)
        printf(" %6.0f", bytes / 1e6);
    else
        printf(" %6s", "");
}

static void print_turns(const Options *options, const char *name, const Ours *ours,
                        const Turns *turns)
{
    Row row          = {.verb = "against", .threads = parallel_threads(), .flops = ours->flops};
    row.ms           = turns->ours;
    row.shared       = turns->shared;
    row.knows_shared = turns->shared >= 0;
    snprintf(row.name, sizeof row.name, "%s %s", options->against, name);
    double medians = turns->theirs.median / turns->ours.median;
    double bests   = turns->theirs.best / turns->ours.best;
    if (options->json) {
        row.figures[0] = (Figure){"peer_ms", turns->theirs.median};
        row.figures[1] = (Figure){"peer_best_ms", turns->theirs.best};
        row.figures[2] = (Figure){"ratio", medians};
        row.figures[3] = (Figure){"ratio_of_bests", bests};
        row.figures[4] = (Figure){"peer_cores_shared", turns->their_shared};
        row.figures[5] = (Figure){"ratio_of_cpu", turns->cpu_ratio};
        row.figures[6] = (Figure){"distance", turns->distance};
        row.figures[7] = (Figure){"plan_mb", turns->bytes / 1e6};
        row.figures[8] = (Figure){"peer_mb", turns->their_bytes / 1e6};
        row_print(options, &row);
        return;
    }
    progress("");
    printf("%-34s %9.4g %9.4g %9.4g %9.4g %7.2f %7.2f %7.0f%%", name, turns->ours.median,
           turns->ours.best, turns->theirs.median, turns->theirs.best, medians, bests,
           100 * ours->flops / turns->ours.median / 1e6 / peak_gflops());
    if (turns->shared >= 0 && turns->their_shared >= 0)
        printf(" %7.2f %5.0f %% %5.0f %%", turns->cpu_ratio, 100 * turns->shared,
               100 * turns->their_shared);
    else
        printf(" %7s %7s %7s", "?", "?", "?");
    print_megabytes(turns->bytes);
    print_megabytes(turns->their_bytes);
    if (turns->distance >= 0)
        printf("  %.1e", turns->distance);
    if (turns->shared >= SHARED_LEAST || turns->their_shared >= SHARED_LEAST)
        printf("  cores were shared");
    printf("\n");
    fflush(stdout);
}

static void print_heading(const Options *options, const char *peer)
{
    peak_measure();
    if (options->json)
        return;
    printf("in turns with %s, a rest of %d ms before each turn; %d thread%s, isa %s, FMA peak %.0f "
           "GFLOP/s\n",
           peer, REST_MS, parallel_threads(), parallel_threads() == 1 ? "" : "s", engine_isa(),
           peak_gflops());
    printf("ms of a run. ratios: their time over ours, of medians, of bests, of processor time;\n"
           "shared: of the time ours and theirs could run, what others had the cores;\n"
           "MB: our plan; their memory at its largest, less what it was before the first run;\n"
           "apart: relative distance of the two results\n");
    printf("%-34s %9s %9s %9s %9s %7s %7s %8s %7s %7s %7s %6s %6s  %s\n", "", "ours", "best",
           "theirs", "best", "ratio", "bests", "of peak", "cpu", "shared", "theirs", "MB", "theirs",
           "apart");
    fflush(stdout);
}

/* *is_absent: the peer is not there, which was said. */
static bool measure_case(const Options *options, const Case *one, bool *is_first, bool *is_absent,
                         Error *error)
{
    char  folder[LIMIT_PATH], name[64];
    Ours  ours  = {0};
    Peer  peer  = {0};
    Turns turns = {0};
    case_name(one, name);
    progress(name);
    if (!folder_temporary(folder, error))
        return false;
    PeerWork work = {.name           = options->against,
                     .folder         = folder,
                     .arch           = one->arch,
                     .upto           = one->upto ? one->upto : "logits",
                     .is_training    = one->is_training,
                     .is_aligned     = one->is_aligned,
                     .is_map_attack  = one->is_map_attack,
                     .input_gradient = one->input_gradient,
                     .batch          = one->batch,
                     .m              = one->m,
                     .n              = one->n,
                     .k              = one->k};
    bool ok = ours_open(&ours, one, folder, options->conv, error) && peer_open(&peer, &work, error);
    *is_absent = ok && peer.is_absent;
    if (*is_absent) {
        progress("");
        fprintf(stderr, "%s\n", peer.about);
    } else if (ok) {
        if (*is_first)
            print_heading(options, peer.about);
        *is_first = false;
        ok        = take_turns(&turns, &ours, &peer, one, folder, options->runs, error);
        if (ok)
            print_turns(options, name, &ours, &turns);
    }
    peer_close(&peer);
    ours_close(&ours);
    folder_discard(folder);
    return ok;
}

bool bench_against(const Options *given, Error *error)
{
    Options options  = *given;
    bool    is_first = true, is_absent = false, is_any = false, ok = true;
    options.runs = options.runs ? options.runs : 5;
    for (int i = 0; ok && !is_absent && i < CASES; i++) {
        char name[64];
        case_name(&cases[i], name);
        if (!strstr(cases[i].peers, options.against) ||
            (options.only && !strstr(name, options.only)))
            continue;
        is_any = true;
        ok     = measure_case(&options, &cases[i], &is_first, &is_absent, error);
    }
    progress(NULL);
    if (ok && !is_any)
        return fail(
            error, ERROR_USAGE,
            "--against %s%s%s: nothing to measure, expected torch, onnxruntime or openblas, and "
            "a part of a row's name",
            options.against, options.only ? " --only " : "", options.only ? options.only : "");
    return ok;
}
