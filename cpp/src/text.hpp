#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace coffer {

/// The lines of a text, without their ends (LF or CRLF), a byte order mark in
/// front, and empty lines at the end: people write these files on any system.
[[nodiscard]] std::vector<std::string> splitLines(std::string_view text);

/// A small text file. Throws FileError.
[[nodiscard]] std::string readText(const std::filesystem::path& file);

/// Writes a file that only its owner can read, and puts it in the place of the
/// one before in one step. Throws FileError.
void writePrivateText(const std::filesystem::path& file, std::string_view text);

} // namespace coffer
