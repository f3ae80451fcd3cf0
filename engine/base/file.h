#pragma once
// Files that are either whole or absent.

#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edgeprune {

enum class Links { followed, refused };

/// The whole file. Throws FileError if it is missing or unreadable, or a link where those are refused.
std::vector<char> read_file(const std::string& path, Links links = Links::followed);

/// So many of its first bytes, or as many as it has; none if it is no regular file or cannot be read.
std::string start_of_file(const std::string& path, size_t bytes);

/// Writes a file so that `path` holds either its old content or all of the new one, even across a
/// power cut: the content goes to a temporary file beside it, which is fsynced and renamed. `write`
/// may call its argument any number of times. Throws FileError (full disk, missing folder, no
/// permission) and leaves no temporary file behind; those that killed writers left in this folder
/// go, too. (A process that does not ignore SIGXFSZ is killed where files may grow no further.)
using ByteSink = std::function<void(const void* data, size_t bytes)>;
void write_file_atomically(const std::string& path,
                           const std::function<void(const ByteSink&)>& write);
void write_file_atomically(const std::string& path, std::string_view content);

/// Removes the temporary files that killed writers left in a folder, and nothing else: those of the
/// living are locked, and nobody else's have such names. Does nothing if there is no such folder.
void remove_abandoned(const std::string& folder);

/// Makes a folder, and those that it lies in, unless it is there. Throws FileError.
void make_folder(const std::string& path);

/// Fails early, before hours of training: throws FileError unless a file could be created beside
/// `path`.
void require_writable(const std::string& path);

/// Appends `line` and a newline in one write, then fsyncs. A half line left by a crash is closed
/// off first, so that the new line always starts a line of its own.
void append_line(const std::string& path, std::string_view line);

/// SHA-256 of the file's bytes in lower-case hex, as `sha256sum` prints it.
std::string sha256_of_file(const std::string& path);

/// Of all their bytes, one file behind the other.
std::string sha256_of_files(std::span<const std::string> paths);

}  // namespace edgeprune
