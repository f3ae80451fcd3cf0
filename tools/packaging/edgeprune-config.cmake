# find_package(edgeprune): edgeprune::edgeprune, all that a program links, and a target for each of its libraries.
include(CMakeFindDependencyMacro)
foreach(library OpenMP OpenSSL dnnl fmt hwy nlohmann_json libzip Threads ZLIB)
  find_dependency(${library})
endforeach()
find_package(TIFF QUIET)  # where edgeprune was built with it, linking says so if it is missing
include(${CMAKE_CURRENT_LIST_DIR}/edgeprune-targets.cmake)
