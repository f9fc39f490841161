# What `cmake --install` puts where, and the Debian package that CPack makes of it.
set(ISODROP_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "Folder of zsh's completions")

# Made by the program from its tables. (Redirections are the shell's: no VERBATIM.)
set(texts ${PROJECT_BINARY_DIR}/generated/texts)
file(MAKE_DIRECTORY ${texts})
add_custom_command(OUTPUT ${texts}/isodrop.1 ${texts}/isodrop.bash ${texts}/_isodrop
  COMMAND isodrop man > ${texts}/isodrop.1
  COMMAND isodrop completion bash > ${texts}/isodrop.bash
  COMMAND isodrop completion zsh > ${texts}/_isodrop
  DEPENDS isodrop COMMENT "Making the manual page and the shells' completions")
add_custom_target(isodrop_texts ALL DEPENDS ${texts}/isodrop.1)

install(TARGETS isodrop RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${texts}/isodrop.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${texts}/isodrop.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME isodrop)
install(FILES ${texts}/_isodrop DESTINATION ${ISODROP_ZSH_DIR})
install(DIRECTORY studies/ DESTINATION ${CMAKE_INSTALL_DATADIR}/isodrop/studies
  FILES_MATCHING PATTERN "*.toml")
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN "*.md" PATTERN "*.png")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "The isodrop engineers")
set(CPACK_PACKAGE_CONTACT "The isodrop engineers <isodrop@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "at the same compute, does dropout pay?")
set(CPACK_PACKAGE_DESCRIPTION "isodrop trains small GPTs on a CPU and compares regularization regimes at
 equal compute on paired seeds, on a text of yours or on a built-in corpus.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# CPack packs whatever the build is; one for its own CPU alone is no package for others.
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/cmake/check_package.cmake)
set(CPACK_ISODROP_ARCH "${ISODROP_ARCH}")
set(CPACK_ISODROP_NATIVE "${ISODROP_NATIVE}")
# The package is the program; the libraries of package.cmake are not in it.
set(CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR};isodrop;Unspecified;/")
include(CPack)
