#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "coffer/bytes.hpp"

/// The protocol's test vectors, from tests/data/vectors.txt.
class Vectors {
public:
    using Values = std::map<std::string, std::string>;

    /// Throws if there are none.
    [[nodiscard]] static const Values& of(const std::string& kind);
    [[nodiscard]] static std::string value(const std::string& kind, const std::string& key = "-");
    [[nodiscard]] static coffer::Bytes bytes(const std::string& kind, const std::string& key = "-");

    /// The vectors' plaintext of a length.
    [[nodiscard]] static coffer::Bytes content(std::size_t length);
};

[[nodiscard]] coffer::Bytes fromHex(std::string_view hex);
[[nodiscard]] std::string toHex(coffer::ByteView bytes);

/// A folder that goes when the object does.
class TemporaryFolder {
public:
    TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    std::filesystem::path write(const std::filesystem::path& name, coffer::ByteView content) const;
    std::filesystem::path write(const std::filesystem::path& name, std::string_view text) const;

private:
    std::filesystem::path path_;
};
