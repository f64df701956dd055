#include "text.hpp"

#include <fstream>
#include <sstream>
#include <system_error>

#ifndef _WIN32
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include "coffer/error.hpp"

namespace coffer {
namespace {

constexpr std::string_view byteOrderMark = "\xEF\xBB\xBF";
constexpr std::uintmax_t maxText = 1U << 20U;

#ifdef _WIN32

void writePrivately(const std::filesystem::path& file, std::string_view text) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    out.close();
    if (!out) {
        throw FileError(file.u8string() + " cannot be written");
    }
}

#else

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { ::close(fd_); }

    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

[[noreturn]] void failWriting(const std::filesystem::path& file) {
    throw FileError(file.string() + ": " + std::generic_category().message(errno));
}

void writePrivately(const std::filesystem::path& file, std::string_view text) {
    // The mode is there before the first byte is.
    constexpr mode_t ownerOnly = S_IRUSR | S_IWUSR;
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, ownerOnly);
    if (fd < 0) {
        failWriting(file);
    }
    const Descriptor out(fd);
    while (!text.empty()) {
        const ssize_t n = ::write(out.get(), text.data(), text.size());
        if (n < 0 && errno != EINTR) {
            failWriting(file);
        }
        text.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    if (::fsync(out.get()) != 0) {
        failWriting(file);
    }
}

#endif

} // namespace

std::vector<std::string> splitLines(std::string_view text) {
    if (text.substr(0, byteOrderMark.size()) == byteOrderMark) {
        text.remove_prefix(byteOrderMark.size());
    }
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        lines.emplace_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    while (!lines.empty() && lines.back().empty()) {
        lines.pop_back();
    }
    return lines;
}

std::string readText(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        throw FileError(file.u8string() + " cannot be opened");
    }
    std::error_code error;
    if (std::filesystem::file_size(file, error) > maxText || error) {
        throw FileError(file.u8string() + " is not a small text file");
    }
    std::ostringstream text;
    text << in.rdbuf();
    if (in.bad()) {
        throw FileError(file.u8string() + " cannot be read");
    }
    return text.str();
}

void writePrivateText(const std::filesystem::path& file, std::string_view text) {
    std::filesystem::path fresh = file;
    fresh += ".new";
    std::error_code error;
    std::filesystem::remove(fresh, error); // of a run that was cut off
    writePrivately(fresh, text);
    std::filesystem::rename(fresh, file, error);
    if (error) {
        throw FileError(file.u8string() + ": " + error.message());
    }
}

} // namespace coffer
