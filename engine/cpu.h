/* engine/cpu.h - which kernels may run: the CPU *and* the operating system must allow them. */
#ifndef ENGINE_CPU_H
#define ENGINE_CPU_H

typedef enum CpuLevel { CPU_PORTABLE, CPU_AVX2, CPU_AVX512, CPU_NEON } CpuLevel;

/* The best level, capped by ENGINE_ISA=portable|avx2|avx512|neon (read once). */
CpuLevel cpu_level(void);

#endif
