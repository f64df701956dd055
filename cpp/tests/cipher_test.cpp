#include <algorithm>

#include <cryptopp/sha.h>
#include <doctest/doctest.h>

#include "cipher.hpp"
#include "coffer/error.hpp"
#include "encrypted_file.hpp"
#include "vectors.hpp"

using coffer::Bytes;

namespace {

coffer::SessionKey vectorKey() {
    std::array<std::uint8_t, coffer::SessionKey::size> key{};
    const Bytes bytes = Vectors::bytes("session_key");
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return coffer::SessionKey(key);
}

std::string sha256(const Bytes& content) {
    Bytes digest(CryptoPP::SHA256::DIGESTSIZE);
    CryptoPP::SHA256().CalculateDigest(digest.data(), content.data(), content.size());
    return toHex(digest);
}

Bytes readAll(coffer::EncryptedFile& file, std::size_t part) {
    Bytes all;
    Bytes next;
    while (all.size() < file.ciphertextSize()) {
        file.read(next, part);
        all.insert(all.end(), next.begin(), next.end());
    }
    return all;
}

} // namespace

TEST_CASE("encrypted file: what openssl makes, in parts of any size") {
    const TemporaryFolder folder;
    for (const auto& [length, want] : Vectors::of("ciphertext_sha256")) {
        CAPTURE(length);
        const auto path = folder.write("file", Vectors::content(std::stoul(length)));
        for (const std::size_t part : {16U, 64U, 4096U, 1U << 20U}) {
            coffer::EncryptedFile file(path, vectorKey());
            const Bytes ciphertext = readAll(file, part);
            CHECK(ciphertext.size() == file.ciphertextSize());
            CHECK(sha256(ciphertext) == want);
            CHECK(std::to_string(file.cksum()) == Vectors::value("cksum", length));
        }
    }
}

TEST_CASE("encrypted file: what is none, or changes, is refused") {
    const TemporaryFolder folder;
    CHECK_THROWS_AS(coffer::EncryptedFile(folder.path(), vectorKey()), coffer::FileError);
    CHECK_THROWS_AS(coffer::EncryptedFile(folder.path() / "none", vectorKey()), coffer::FileError);

    const auto path = folder.write("file", Vectors::content(1000));
    Bytes part;
    {
        coffer::EncryptedFile file(path, vectorKey());
        std::filesystem::resize_file(path, 999);
        CHECK_THROWS_WITH_AS(file.read(part, 1024), doctest::Contains("shorter"),
                             coffer::FileError);
    }
    {
        coffer::EncryptedFile file(path, vectorKey());
        std::filesystem::resize_file(path, 1001);
        CHECK_THROWS_WITH_AS(file.read(part, 1024), doctest::Contains("longer"), coffer::FileError);
    }
    // Sparse: it takes no room.
    std::filesystem::resize_file(path, coffer::EncryptedFile::maxSize + 1);
    CHECK_THROWS_WITH_AS(coffer::EncryptedFile(path, vectorKey()), doctest::Contains("too large"),
                         coffer::FileError);
    std::filesystem::resize_file(path, coffer::EncryptedFile::maxSize);
    CHECK(coffer::EncryptedFile(path, vectorKey()).ciphertextSize() == 0xFFFF'FFF0);
}
