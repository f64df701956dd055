#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "cipher.hpp"
#include "coffer/bytes.hpp"
#include "coffer/cksum.hpp"

namespace coffer {

/// A file's ciphertext, read once from beginning to end in constant memory. The
/// plaintext's checksum is taken on the way.
class EncryptedFile {
public:
    /// Sizes on the wire have 32 bits, and the padding must fit too.
    static constexpr std::uint64_t maxSize = 0xFFFF'FFFF - FileCipher::blockSize;

    /// Throws FileError, also for what is no file or too large.
    EncryptedFile(const std::filesystem::path& path, const SessionKey& key);

    /// Of the plaintext, when the file was opened. It must not change.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t ciphertextSize() const noexcept {
        return static_cast<std::uint32_t>(FileCipher::ciphertextSize(size_));
    }

    /// Puts the next bytes of ciphertext into part: most, a multiple of the
    /// cipher's block size, or what is left. Throws FileError.
    void read(Bytes& part, std::size_t most);

    /// Of the plaintext, once all was read.
    [[nodiscard]] std::uint32_t cksum() const noexcept { return cksum_.value(); }

private:
    std::filesystem::path path_;
    std::ifstream file_;
    std::uint32_t size_;
    FileCipher cipher_;
    Cksum cksum_;
};

} // namespace coffer
