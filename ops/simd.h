// Google Highway for one instruction set, the one this is compiled for. Every file that wants SIMD
// includes this instead of <hwy/highway.h>, so that all of them see the same settings.
#pragma once

#if !defined(HWY_COMPILE_ONLY_SCALAR) && !defined(HWY_COMPILE_ONLY_EMU128) && \
    !defined(HWY_COMPILE_ONLY_STATIC)
#define HWY_COMPILE_ONLY_STATIC  // no dispatch at run time
#endif
#ifndef HWY_DISABLE_PCLMUL_AES
#define HWY_DISABLE_PCLMUL_AES  // x86-64-v3 has neither, and nothing here needs them for AVX2
#endif
#include <hwy/cache_control.h>
#include <hwy/highway.h>
