#pragma once

#include <array>
#include <memory>

#include "coffer/bytes.hpp"

namespace CryptoPP {
class InvertibleRSAFunction;
}

namespace coffer {

/// The 32 bytes of an AES-256 key that the server makes for a session. They are
/// wiped when the object ends.
class SessionKey {
public:
    static constexpr std::size_t size = 32;

    explicit SessionKey(const std::array<std::uint8_t, size>& bytes) noexcept : bytes_(bytes) {}
    SessionKey(const SessionKey&) = default;
    SessionKey(SessionKey&&) = default;
    SessionKey& operator=(const SessionKey&) = default;
    SessionKey& operator=(SessionKey&&) = default;
    ~SessionKey();

    [[nodiscard]] ByteView bytes() const noexcept { return bytes_; }

private:
    std::array<std::uint8_t, size> bytes_;
};

/// A client's RSA key pair.
class PrivateKey {
public:
    /// The size that the protocol's key field was made for.
    static constexpr unsigned defaultBits = 1024;
    static constexpr unsigned minBits = 1024;
    static constexpr unsigned maxBits = 4096;

    /// Makes a new pair, with e = 65537: to a client with e = 17 the server
    /// answers as to those that were built with SHA-1 (docs/protocol.md,
    /// "Deployed clients").
    [[nodiscard]] static PrivateKey generate(unsigned bits = defaultBits);
    /// Reads DER, PKCS #8. Throws KeyError.
    [[nodiscard]] static PrivateKey fromDer(ByteView der);

    PrivateKey(PrivateKey&& other) noexcept;
    PrivateKey& operator=(PrivateKey&& other) noexcept;
    PrivateKey(const PrivateKey& other);
    PrivateKey& operator=(const PrivateKey& other);
    ~PrivateKey();

    /// DER, PKCS #8.
    [[nodiscard]] Bytes toDer() const;
    /// The public half as DER SubjectPublicKeyInfo: what 1026 carries.
    [[nodiscard]] Bytes publicDer() const;
    /// Opens what 1602 and 1605 carry: RSA-OAEP with SHA-256 as hash and in
    /// MGF1, or with SHA-1, as the server wraps for keys of deployed clients
    /// whose me.info is used here. Throws KeyError.
    [[nodiscard]] SessionKey unwrap(ByteView wrapped) const;

private:
    explicit PrivateKey(std::unique_ptr<CryptoPP::InvertibleRSAFunction> rsa) noexcept;

    std::unique_ptr<CryptoPP::InvertibleRSAFunction> rsa_;
};

} // namespace coffer
