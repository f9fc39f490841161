# Read by CPack before it packs.
if(CPACK_ISODROP_NATIVE AND NOT CPACK_ISODROP_ARCH)
  message(FATAL_ERROR "this build is for the CPU of this machine alone (-march=native) and would crash on others; "
    "make the package from the preset: cmake --preset package && cmake --build --preset package && "
    "cpack --preset package")
endif()
