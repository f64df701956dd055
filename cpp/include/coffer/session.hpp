#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "coffer/client.hpp"
#include "coffer/error.hpp"
#include "coffer/identity.hpp"

namespace coffer {

/// What a Session tells while it works. All of it can be ignored, but for
/// registered: an identity that is not kept is lost with all that it stored.
class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    /// A registration is about to be made, with this key and no id yet: to be
    /// kept, since a name whose key is lost is lost too. If it throws, the
    /// server is told nothing. Who comes back with it goes on registering.
    virtual void registering(const Identity& /*identity*/) {}
    /// What registering was told came to nothing: the name is refused.
    virtual void refused() {}
    /// A new registration, to be kept before anything is stored.
    virtual void registered(const Identity& identity) = 0;
    /// Ciphertext of the file under way left.
    virtual void sent(std::uint64_t /*bytes*/, std::uint64_t /*total*/) {}
    /// The file is sent again, because of this.
    virtual void sendsAgain(const Error& /*why*/) {}
    /// The connection is made anew after a wait, because of this.
    virtual void reconnects(const ConnectionError& /*why*/, std::chrono::milliseconds /*wait*/) {}
};

/// How much a Session puts up with.
struct Patience {
    /// How often a file is sent again after a wrong checksum or a refusal.
    int retries = 3;
    /// How often a file is sent again because its connection broke.
    int lostConnections = 10;
    /// How long it goes on when no connection can be made at all.
    std::chrono::milliseconds unreachable = std::chrono::seconds(60);
    /// The wait between two connections; it doubles, up to the longest.
    std::chrono::milliseconds firstWait = std::chrono::milliseconds(250);
    std::chrono::milliseconds longestWait = std::chrono::seconds(8);
};

/// What was stored.
struct Stored {
    std::uint32_t size;
    std::uint32_t cksum;
};

/// A client's dealings with its server, over as many connections as it takes:
/// it signs in, keeps the connection for several files, makes another when it
/// breaks, registers again when the server has lost it, and sends a file again
/// when the checksum is wrong.
class Session {
public:
    struct Settings {
        Endpoint server;
        Limits limits;
        Patience patience;
    };

    /// Who the client is. Without an identity, it registers under name.
    struct Account {
        std::string name;
        std::optional<Identity> identity;
        unsigned rsaBits = PrivateKey::defaultBits; // of a key that is made
    };

    /// The observer must outlive the session. Nothing is sent yet.
    Session(Settings settings, Account account, Observer& observer);

    /// Connects and signs in, unless that is done. Throws ConnectionError when
    /// patience ends, NameRefusedError, RefusedError, ProtocolError, KeyError.
    void signIn();

    /// Stores a file under a name; when this returns, it is committed. Throws
    /// also FileError, and ChecksumError when the last retry failed. After an
    /// error of this file alone, the session can store others.
    Stored store(const std::filesystem::path& file, std::string_view name);

private:
    void signInOn(Client& client);
    void registerOn(Client& client);
    [[nodiscard]] bool finishEarlierRegistration(Client& client);

    Settings settings_;
    std::string name_;
    std::optional<Identity> identity_;
    unsigned rsaBits_;
    Observer& observer_;
    std::optional<Client> client_; // signed in
};

} // namespace coffer
