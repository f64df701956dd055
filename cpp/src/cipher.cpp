#include "cipher.hpp"

#include <array>

#include <cryptopp/aes.h>
#include <cryptopp/modes.h>

namespace coffer {
namespace {

constexpr std::array<std::uint8_t, FileCipher::blockSize> zeroIv{};

} // namespace

struct FileCipher::Cbc {
    explicit Cbc(const SessionKey& key)
        : mode(key.bytes().data(), key.bytes().size(), zeroIv.data()) {}

    CryptoPP::CBC_Mode<CryptoPP::AES>::Encryption mode;
};

FileCipher::FileCipher(const SessionKey& key) : cbc_(std::make_unique<Cbc>(key)) {}
FileCipher::FileCipher(FileCipher&&) noexcept = default;
FileCipher& FileCipher::operator=(FileCipher&&) noexcept = default;
FileCipher::~FileCipher() = default;

void FileCipher::encrypt(Bytes& part) {
    cbc_->mode.ProcessData(part.data(), part.data(), part.size());
}

void FileCipher::encryptLast(Bytes& part) {
    const std::size_t padding = blockSize - part.size() % blockSize;
    part.insert(part.end(), padding, static_cast<std::uint8_t>(padding));
    encrypt(part);
}

} // namespace coffer
