# The libraries' part of `cmake --install` (the component "library"), for find_package(edgeprune).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# What programs include, by <edgeprune/...>. What these include is installed as well, and nothing else.
set(public_headers
    data/loader.h data/open.h data/synthetic.h
    engine/base/check.h engine/base/parallel.h engine/base/profiler.h
    engine/inference/kernel_choices.h engine/inference/plan.h
    engine/nn/network.h
    engine/ops/cross_entropy.h engine/ops/distillation.h
    engine/optim/optimizer.h engine/optim/schedule.h
    models/checkpoint.h models/fold.h models/networks.h models/summary.h
    pruning/compact.h pruning/dead_channels.h pruning/prune.h)

set(left ${public_headers})
set(headers "")
while(left)
  list(POP_FRONT left header)
  list(APPEND headers ${header})
  file(STRINGS ${PROJECT_SOURCE_DIR}/${header} lines REGEX "^#include \"")
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  foreach(line ${lines})
    string(REGEX REPLACE "^#include \"(.*)\"" "\\1" included "${line}")
    if(NOT included IN_LIST headers AND NOT included IN_LIST left)
      list(APPEND left ${included})
    endif()
  endforeach()
endwhile()

# One name to link: edgeprune::edgeprune.
add_library(edgeprune_edgeprune INTERFACE)
target_link_libraries(edgeprune_edgeprune INTERFACE edgeprune_pruning edgeprune_data)
add_library(edgeprune::edgeprune ALIAS edgeprune_edgeprune)

set(libraries edgeprune base tensor graph kernel_shapes reference onednn simd panels int8 sparse autograd ops nn optim inference onnx pth
              models pruning data)
set(targets "")
foreach(library ${libraries})
  set_target_properties(edgeprune_${library} PROPERTIES EXPORT_NAME ${library})
  target_include_directories(edgeprune_${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/edgeprune>)
  list(APPEND targets edgeprune_${library})
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/edgeprune)
set(generated ${CMAKE_CURRENT_BINARY_DIR}/packaging)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME library)
install(TARGETS ${targets} EXPORT edgeprune INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT edgeprune NAMESPACE edgeprune:: DESTINATION ${package} FILE edgeprune-targets.cmake)
foreach(header ${headers})
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/edgeprune/${folder})
endforeach()
# Before version 1.0 any version may change an interface.
write_basic_package_version_file(${generated}/edgeprune-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES tools/packaging/edgeprune-config.cmake ${generated}/edgeprune-config-version.cmake DESTINATION ${package})
