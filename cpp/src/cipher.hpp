#pragma once

#include <cstdint>
#include <memory>

#include "coffer/bytes.hpp"
#include "coffer/keys.hpp"

namespace coffer {

/// Encrypts one file as the protocol wants it (docs/protocol.md, "Base
/// requests", Content): one AES-256-CBC stream, zero IV, PKCS #7 padding.
class FileCipher {
public:
    static constexpr std::size_t blockSize = 16;

    explicit FileCipher(const SessionKey& key);
    FileCipher(FileCipher&& other) noexcept;
    FileCipher& operator=(FileCipher&& other) noexcept;
    FileCipher(const FileCipher&) = delete;
    FileCipher& operator=(const FileCipher&) = delete;
    ~FileCipher();

    /// Encrypts the next part in place. Its size is a multiple of blockSize.
    void encrypt(Bytes& part);
    /// Pads the last part, of any size, and encrypts it in place.
    void encryptLast(Bytes& part);

    /// How long the ciphertext of a file is.
    [[nodiscard]] static constexpr std::uint64_t ciphertextSize(std::uint64_t plaintext) noexcept {
        return plaintext - plaintext % blockSize + blockSize;
    }

private:
    struct Cbc;
    std::unique_ptr<Cbc> cbc_;
};

} // namespace coffer
