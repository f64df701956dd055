#include "encrypted_file.hpp"

#include <algorithm>
#include <system_error>

#include "coffer/error.hpp"

namespace coffer {
namespace {

std::uint32_t sizeOf(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        throw FileError(path.u8string() + (error ? ": " + error.message() : " is not a file"));
    }
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) {
        throw FileError(path.u8string() + ": " + error.message());
    }
    if (size > EncryptedFile::maxSize) {
        throw FileError(path.u8string() + " is too large: the protocol's sizes end at 4 GiB");
    }
    return static_cast<std::uint32_t>(size);
}

} // namespace

EncryptedFile::EncryptedFile(const std::filesystem::path& path, const SessionKey& key)
    : path_(path), size_(sizeOf(path)), cipher_(key) {
    file_.rdbuf()->pubsetbuf(nullptr, 0); // parts are large: no copy by way of a buffer
    file_.open(path, std::ios::binary);
    if (!file_) {
        throw FileError(path.u8string() + " cannot be opened");
    }
}

void EncryptedFile::read(Bytes& part, std::size_t most) {
    const auto left = static_cast<std::size_t>(size_ - cksum_.length());
    part.resize(std::min(left, most));
    if (!part.empty()) {
        file_.read(reinterpret_cast<char*>(part.data()), // NOLINT(*-reinterpret-cast): iostreams
                   static_cast<std::streamsize>(part.size()));
        if (!file_) {
            throw FileError(path_.u8string() + (file_.bad() ? " cannot be read"
                                                            : " became shorter while it was read"));
        }
    }
    cksum_.update(part);
    if (left >= most) {
        cipher_.encrypt(part);
        return;
    }
    if (file_.peek() != std::ifstream::traits_type::eof()) {
        throw FileError(path_.u8string() + " became longer while it was read");
    }
    cipher_.encryptLast(part);
}

} // namespace coffer
