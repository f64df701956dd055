#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "coffer/client.hpp"
#include "coffer/identity.hpp"

/// What coffer-cpp is to do, from the files of a folder:
///
///   transfer.info   line 1 host:port, line 2 the username, then one file a line
///   me.info         coffer::Identity; there once the client is registered
///   port.info       one line: the port, in place of the one in transfer.info
struct Batch {
    struct File {
        std::filesystem::path path;
        std::string name; // on the server
    };

    coffer::Endpoint server;
    std::string username;
    std::vector<File> files;
    std::optional<coffer::Identity> identity;

    /// Throws UsageError.
    [[nodiscard]] static Batch load(const std::filesystem::path& folder);
    /// Where the identity of a folder is.
    [[nodiscard]] static std::filesystem::path identityFile(const std::filesystem::path& folder);
};
