# The program's part of `cmake --install` (the component "program"; library.cmake has the other one), and the Debian package, which
# consists of it. Included where the target edgeprune is defined, as its build ends here.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME program)

install(TARGETS edgeprune RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright ${CMAKE_CURRENT_LIST_DIR}/third-party.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})

# edgeprune_generate(KIND FILE FOLDER): the program writes its man page and completions itself as soon as it is linked, so that
# they cannot differ from its options.
function(edgeprune_generate kind file folder)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/packaging/${kind}/${file})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/packaging/${kind})
  add_custom_command(TARGET edgeprune POST_BUILD COMMAND edgeprune --generate ${kind} > ${output} VERBATIM)
  install(FILES ${output} DESTINATION ${folder})
endfunction()

if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "No man page and no completions: they take running edgeprune (set CMAKE_CROSSCOMPILING_EMULATOR)")
else()
  edgeprune_generate(man edgeprune.1 ${CMAKE_INSTALL_MANDIR}/man1)
  edgeprune_generate(bash edgeprune ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  edgeprune_generate(zsh _edgeprune ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  edgeprune_generate(fish edgeprune.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# The package's maintainer is whoever makes it, named as Debian's own tools have it.
set(maintainer "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
if(maintainer STREQUAL " <>")
  set(maintainer "edgeprune maintainers <maintainers@edgeprune.example>")
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS ${PROJECT_BINARY_DIR} edgeprune program /)
set(CPACK_PACKAGE_NAME edgeprune)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "trains, prunes and times convolutional networks on a CPU")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Answers with measurements whether sparse kernels beat dense ones on this CPU
for a MobileNetV2, and from how many zeros on: imports pretrained weights,
fine-tunes them, takes weights or whole channels away, fine-tunes again, and
times every variant on several engines in turns, with accuracy, size and
latency side by side.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${maintainer})
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gnuplot-nox | gnuplot")  # without it: "no plots", and all else goes on
include(CPack)
