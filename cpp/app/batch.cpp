#include "batch.hpp"

#include <charconv>
#include <set>
#include <string_view>

#include "coffer/error.hpp"
#include "options.hpp"
#include "text.hpp"

namespace {

namespace fs = std::filesystem;

std::uint16_t parsePort(std::string_view text, const char* where) {
    std::uint16_t port = 0;
    const char* end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || parsed != end || port == 0) {
        throw UsageError(std::string(where) + ": the port is not a number from 1 to 65535");
    }
    return port;
}

/// host, host:port, [IPv6] or [IPv6]:port.
coffer::Endpoint parseEndpoint(const std::string& line) {
    constexpr const char* where = "transfer.info, line 1";
    const bool bracketed = !line.empty() && line.front() == '[';
    const std::size_t hostEnd = bracketed ? line.find(']') : line.find(':');
    coffer::Endpoint server;
    if (bracketed && hostEnd == std::string::npos) {
        throw UsageError(std::string(where) + ": the bracket is not closed");
    }
    server.host = bracketed ? line.substr(1, hostEnd - 1) : line.substr(0, hostEnd);
    const std::size_t colon = bracketed ? hostEnd + 1 : hostEnd;
    if (server.host.empty()) {
        throw UsageError(std::string(where) + ": there is no host");
    }
    if (colon < line.size()) {
        if (line[colon] != ':') {
            throw UsageError(std::string(where) + " is not host:port");
        }
        server.port = parsePort(std::string_view(line).substr(colon + 1), where);
    }
    return server;
}

/// What a file is called on the server: its path, if that stays below the
/// folder, else its name alone. The server takes no other paths.
std::string storedName(const fs::path& path) {
    const fs::path normal = path.lexically_normal();
    const bool below = !normal.has_root_path() && *normal.begin() != "..";
    return (below ? normal : normal.filename()).generic_u8string();
}

std::vector<std::string> readLines(const fs::path& file) {
    try {
        return coffer::splitLines(coffer::readText(file));
    } catch (const coffer::FileError& e) {
        throw UsageError(e.what());
    }
}

} // namespace

fs::path Batch::identityFile(const fs::path& folder) { return folder / "me.info"; }

Batch Batch::load(const fs::path& folder) {
    const std::vector<std::string> lines = readLines(folder / "transfer.info");
    if (lines.size() < 3) {
        throw UsageError("transfer.info needs three lines: host:port, the username, a file");
    }
    Batch batch;
    batch.server = parseEndpoint(lines[0]);
    batch.username = lines[1];
    if (batch.username.empty()) {
        throw UsageError("transfer.info, line 2: there is no username");
    }
    std::set<std::string> names;
    for (std::size_t i = 2; i < lines.size(); ++i) {
        if (lines[i].empty()) {
            continue;
        }
        const fs::path path = fs::u8path(lines[i]);
        std::string name = storedName(path);
        if (!names.insert(name).second) {
            throw UsageError("transfer.info: two files would be stored as " + name);
        }
        batch.files.push_back({folder / path, std::move(name)});
    }
    if (fs::exists(folder / "port.info")) {
        const std::vector<std::string> port = readLines(folder / "port.info");
        batch.server.port = parsePort(port.empty() ? "" : port[0], "port.info");
    }
    const fs::path me = identityFile(folder);
    if (fs::exists(me)) {
        try {
            batch.identity = coffer::Identity::load(me);
        } catch (const coffer::Error& e) {
            throw UsageError(e.what());
        }
    }
    return batch;
}
