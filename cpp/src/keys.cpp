#include "coffer/keys.hpp"

#include <algorithm>

#include <cryptopp/filters.h>
#include <cryptopp/misc.h>
#include <cryptopp/oaep.h>
#include <cryptopp/osrng.h>
#include <cryptopp/rsa.h>
#include <cryptopp/sha.h>

#include "coffer/error.hpp"

namespace coffer {
namespace {

using Rsa = CryptoPP::InvertibleRSAFunction;

template <typename Key> Bytes encode(const Key& key) {
    Bytes der;
    CryptoPP::VectorSink sink(der);
    key.DEREncode(sink);
    return der;
}

/// Puts the session key into key. False when wrapped is not one, wrapped with
/// this hash.
template <typename Hash>
bool unwrapWith(const Rsa& rsa, ByteView wrapped, std::array<std::uint8_t, SessionKey::size>& key) {
    using Oaep = CryptoPP::RSAES<CryptoPP::OAEP<Hash>>;
    const typename Oaep::Decryptor decryptor(rsa);
    if (wrapped.size() != decryptor.FixedCiphertextLength()) {
        return false;
    }
    CryptoPP::AutoSeededRandomPool random; // blinds the operation
    CryptoPP::SecByteBlock opened(decryptor.MaxPlaintextLength(wrapped.size()));
    const auto result = decryptor.Decrypt(random, wrapped.data(), wrapped.size(), opened);
    if (!result.isValidCoding || result.messageLength != key.size()) {
        return false;
    }
    std::copy_n(opened.begin(), key.size(), key.begin());
    return true;
}

} // namespace

SessionKey::~SessionKey() { CryptoPP::SecureWipeArray(bytes_.data(), bytes_.size()); }

PrivateKey::PrivateKey(std::unique_ptr<Rsa> rsa) noexcept : rsa_(std::move(rsa)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::PrivateKey(const PrivateKey& other) : rsa_(std::make_unique<Rsa>(*other.rsa_)) {}
PrivateKey& PrivateKey::operator=(const PrivateKey& other) {
    *this = PrivateKey(other);
    return *this;
}
PrivateKey::~PrivateKey() = default;

PrivateKey PrivateKey::generate(unsigned bits) {
    if (bits < minBits || bits > maxBits) {
        throw KeyError("an RSA key has from " + std::to_string(minBits) + " to " +
                       std::to_string(maxBits) + " bits");
    }
    CryptoPP::AutoSeededRandomPool random;
    auto rsa = std::make_unique<Rsa>();
    rsa->GenerateRandom(
        random, CryptoPP::MakeParameters(CryptoPP::Name::ModulusSize(), static_cast<int>(bits))(
                    CryptoPP::Name::PublicExponent(), CryptoPP::Integer(65537)));
    return PrivateKey(std::move(rsa));
}

PrivateKey PrivateKey::fromDer(ByteView der) {
    auto rsa = std::make_unique<Rsa>();
    try {
        CryptoPP::ArraySource source(der.data(), der.size(), true);
        rsa->BERDecode(source);
    } catch (const CryptoPP::Exception&) {
        throw KeyError("the private key is not an RSA key in DER (PKCS #8)");
    }
    CryptoPP::AutoSeededRandomPool random;
    const unsigned bits = rsa->GetModulus().BitCount();
    constexpr unsigned fairlySure = 2; // consistent, and the primes probably are
    if (bits < minBits || bits > maxBits || !rsa->Validate(random, fairlySure)) {
        throw KeyError("the private key is damaged, or not of a size that is allowed");
    }
    return PrivateKey(std::move(rsa));
}

Bytes PrivateKey::toDer() const { return encode(*rsa_); }

Bytes PrivateKey::publicDer() const {
    CryptoPP::RSA::PublicKey key;
    key.Initialize(rsa_->GetModulus(), rsa_->GetPublicExponent());
    return encode(key);
}

SessionKey PrivateKey::unwrap(ByteView wrapped) const {
    std::array<std::uint8_t, SessionKey::size> key{};
    if (!unwrapWith<CryptoPP::SHA256>(*rsa_, wrapped, key) &&
        !unwrapWith<CryptoPP::SHA1>(*rsa_, wrapped, key)) {
        throw KeyError("the private key does not open the server's session key");
    }
    SessionKey opened(key);
    CryptoPP::SecureWipeArray(key.data(), key.size());
    return opened;
}

} // namespace coffer
