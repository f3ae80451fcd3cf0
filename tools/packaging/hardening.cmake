# Makes a mistake in edgeprune, or in a file it is given, harder to exploit. Included by the top CMakeLists.txt.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

# For all code, as it costs nothing in loops: addresses that nobody can guess (with -pie below), marks where indirect calls may
# land (the second flag on x86, the third on ARM), and a touch of every page of a large stack frame. GCC 12 compiles our kernels
# to what they were without, but for one marking instruction at the head of each function.
set(CMAKE_REQUIRED_FLAGS -Werror)  # clang only warns of what a processor does not have
# (-fPIE is less than the -fPIC that shared libraries take, and would undo it.)
set(position_independent -fPIE)
if(CMAKE_POSITION_INDEPENDENT_CODE)
  set(position_independent -fPIC)
endif()
foreach(flag ${position_independent} -fcf-protection -mbranch-protection=standard -fstack-clash-protection)
  string(MAKE_C_IDENTIFIER "EDGEPRUNE_HAS${flag}" known)
  check_cxx_compiler_flag(${flag} ${known})
  if(${known})
    add_compile_options(${flag})
  endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)

# Executables alone: there are no shared libraries of our own. All symbols are bound at the start, then their table is
# read-only.
set(link_flags -pie -Wl,-z,relro -Wl,-z,now)
check_linker_flag(CXX "${link_flags}" EDGEPRUNE_HAS_HARDENED_LINKING)
if(EDGEPRUNE_HAS_HARDENED_LINKING)
  string(JOIN " " CMAKE_EXE_LINKER_FLAGS ${CMAKE_EXE_LINKER_FLAGS} ${link_flags})
endif()

# For the code that reads users' files (edgeprune_library() applies it): a check of the stack whenever a function with an array
# returns, and of the C library's copies into arrays. Kernels go without: they hold tiles in arrays, are called for every tile,
# and see only buffers that an op has checked. The sanitizers see more than the C library's checks, but not through them.
set(EDGEPRUNE_GUARDS -fstack-protector-strong)
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  list(APPEND EDGEPRUNE_GUARDS "$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
endif()
