#include "vectors.hpp"

#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include <cryptopp/sha.h>

namespace {

std::map<std::string, Vectors::Values> load() {
    std::ifstream in(COFFER_TEST_DATA "/vectors.txt");
    std::map<std::string, Vectors::Values> kinds;
    for (std::string line; std::getline(in, line);) {
        std::istringstream fields(line);
        std::string kind;
        std::string key;
        std::string value;
        if (line.front() != '#' && fields >> kind >> key >> value) {
            kinds[kind][key] = value;
        }
    }
    return kinds;
}

unsigned digit(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); }

} // namespace

const Vectors::Values& Vectors::of(const std::string& kind) {
    static const auto kinds = load();
    const auto found = kinds.find(kind);
    if (found == kinds.end()) {
        throw std::runtime_error("there are no vectors for " + kind);
    }
    return found->second;
}

std::string Vectors::value(const std::string& kind, const std::string& key) {
    return of(kind).at(key);
}

coffer::Bytes Vectors::bytes(const std::string& kind, const std::string& key) {
    return fromHex(value(kind, key));
}

coffer::Bytes Vectors::content(std::size_t length) {
    coffer::Bytes content;
    for (std::uint64_t n = 0; content.size() < length; ++n) {
        std::array<std::uint8_t, 8> counter{};
        for (std::size_t i = 0; i < counter.size(); ++i) {
            counter.at(i) = static_cast<std::uint8_t>(n >> (8 * i));
        }
        std::array<std::uint8_t, CryptoPP::SHA256::DIGESTSIZE> digest{};
        CryptoPP::SHA256().CalculateDigest(digest.data(), counter.data(), counter.size());
        content.insert(content.end(), digest.begin(), digest.end());
    }
    content.resize(length);
    return content;
}

coffer::Bytes fromHex(std::string_view hex) {
    coffer::Bytes bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<std::uint8_t>(digit(hex[i]) << 4U | digit(hex[i + 1])));
    }
    return bytes;
}

std::string toHex(coffer::ByteView bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t b : bytes) {
        hex += digits[b >> 4U];
        hex += digits[b & 15U];
    }
    return hex;
}

TemporaryFolder::TemporaryFolder() {
    std::random_device random;
    path_ = std::filesystem::temp_directory_path() /
            ("coffer-cpp-" + std::to_string(random()) + "-" + std::to_string(random()));
    std::filesystem::create_directory(path_);
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path TemporaryFolder::write(const std::filesystem::path& name,
                                             coffer::ByteView content) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    for (const std::uint8_t b : content) {
        out.put(static_cast<char>(b));
    }
    out.close();
    if (!out) {
        throw std::runtime_error("a test file could not be written");
    }
    return file;
}

std::filesystem::path TemporaryFolder::write(const std::filesystem::path& name,
                                             std::string_view text) const {
    return write(name, coffer::Bytes(text.begin(), text.end()));
}
