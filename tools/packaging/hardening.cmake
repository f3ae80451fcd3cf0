# Makes a mistake in edgeprune, or in a file it is given, harder to exploit. Included by the top CMakeLists.txt.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

# For all code, as it costs nothing in loops: addresses that nobody can guess (needs -pie below), marks where indirect calls
# may land (the first on x86, the second on ARM), and a touch of every page of a large stack frame.
foreach(flag -fPIE -fcf-protection -mbranch-protection=standard -fstack-clash-protection)
  string(MAKE_C_IDENTIFIER "EDGEPRUNE_HAS${flag}" known)
  check_cxx_compiler_flag(${flag} ${known})
  if(${known})
    add_compile_options(${flag})
  endif()
endforeach()

# Executables alone: there are no shared libraries of our own. All symbols are bound at the start, then their table is
# read-only.
set(link_flags -pie -Wl,-z,relro -Wl,-z,now)
check_linker_flag(CXX "${link_flags}" EDGEPRUNE_HAS_HARDENED_LINKING)
if(EDGEPRUNE_HAS_HARDENED_LINKING)
  string(JOIN " " CMAKE_EXE_LINKER_FLAGS ${CMAKE_EXE_LINKER_FLAGS} ${link_flags})
endif()

# For code that reads users' files or is not in a hurry, see edgeprune_library(): a check of the stack whenever a function with
# an array returns, and of the C library's copies into arrays. Kernels go without: they hold their tiles in arrays, are called for every tile,
# and see only buffers that an op has checked. The sanitizers know more than the second and would be blinded by it.
set(EDGEPRUNE_GUARDS -fstack-protector-strong)
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  list(APPEND EDGEPRUNE_GUARDS "$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
endif()
