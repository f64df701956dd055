#include "coffer/identity.hpp"

#include <algorithm>
#include <vector>

#include <cryptopp/base64.h>
#include <cryptopp/filters.h>
#include <cryptopp/hex.h>

#include "coffer/error.hpp"
#include "text.hpp"

namespace coffer {
namespace {

template <typename Decoder> Bytes decode(std::string_view text) {
    Bytes bytes;
    // The sink is deleted by the decoder, which the source deletes.
    const CryptoPP::StringSource source(
        std::string(text), true,
        new Decoder(new CryptoPP::VectorSink(bytes))); // NOLINT(cppcoreguidelines-owning-memory)
    return bytes;
}

ClientId parseClientId(std::string_view line) {
    ClientId id{};
    const bool isHex = line.size() == 2 * id.size() &&
                       line.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    if (!isHex) {
        throw FileError("the client id (line 2) is not 32 hex digits");
    }
    const Bytes bytes = decode<CryptoPP::HexDecoder>(line);
    std::copy(bytes.begin(), bytes.end(), id.begin());
    return id;
}

template <typename Encoder> std::string encode(ByteView bytes) {
    std::string text;
    Encoder encoder(nullptr, false);                // lower case; for base64, no line breaks
    encoder.Attach(new CryptoPP::StringSink(text)); // NOLINT(cppcoreguidelines-owning-memory)
    encoder.Put(bytes.data(), bytes.size());
    encoder.MessageEnd();
    return text;
}

} // namespace

Identity Identity::parse(std::string_view text) {
    const std::vector<std::string> lines = splitLines(text);
    if (lines.size() < 3 || lines[0].empty()) {
        throw FileError("it needs three lines: the name, the client id, the private key");
    }
    std::string base64;
    for (std::size_t i = 2; i < lines.size(); ++i) {
        base64 += lines[i];
    }
    return {lines[0], parseClientId(lines[1]),
            PrivateKey::fromDer(decode<CryptoPP::Base64Decoder>(base64))};
}

Identity Identity::load(const std::filesystem::path& file) {
    const std::string text = readText(file);
    try {
        return parse(text);
    } catch (const FileError& e) {
        throw FileError(file.u8string() + ": " + e.what());
    } catch (const KeyError& e) {
        throw KeyError(file.u8string() + ": " + e.what());
    }
}

std::string Identity::format() const {
    return name + "\n" + encode<CryptoPP::HexEncoder>(client) + "\n" +
           encode<CryptoPP::Base64Encoder>(key.toDer()) + "\n";
}

void Identity::save(const std::filesystem::path& file) const { writePrivateText(file, format()); }

} // namespace coffer
