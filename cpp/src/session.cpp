#include "coffer/session.hpp"

#include <thread>
#include <utility>

#include "backoff.hpp"

namespace coffer {

namespace {

using Clock = std::chrono::steady_clock;

auto wrongChecksum() {
    return ChecksumError("the server's checksum is another: what arrived is not what was sent");
}

} // namespace

Session::Session(Settings settings, Account account, Observer& observer)
    : settings_(std::move(settings)), name_(std::move(account.name)),
      identity_(std::move(account.identity)), rsaBits_(account.rsaBits), observer_(observer) {
    if (identity_) {
        name_ = identity_->name;
    }
}

void Session::signIn() {
    const Patience& patience = settings_.patience;
    Backoff backoff(patience.firstWait, patience.longestWait);
    const auto deadline = Clock::now() + patience.unreachable;
    while (!client_) {
        try {
            Client client(settings_.server, settings_.limits);
            signInOn(client);
            client_ = std::move(client);
        } catch (const ConnectionError& e) {
            const auto wait = backoff.next();
            if (Clock::now() + wait > deadline) {
                throw;
            }
            observer_.reconnects(e, wait);
            std::this_thread::sleep_for(wait);
        }
    }
}

void Session::signInOn(Client& client) {
    if (!identity_ || identity_->client == ClientId{}) {
        registerOn(client);
        return;
    }
    try {
        client.reconnect(*identity_);
    } catch (const ReconnectDeniedError&) {
        registerOn(client);
    }
}

/// Registers. Who had a key keeps it: it opens what was stored with it.
void Session::registerOn(Client& client) {
    Identity fresh{name_, {}, identity_ ? identity_->key : PrivateKey::generate(rsaBits_)};
    if (!identity_) {
        observer_.registering(fresh);
        identity_ = fresh; // the next connection goes on with this key
    }
    try {
        fresh.client = client.registerName(name_);
    } catch (const NameRefusedError&) {
        if (finishEarlierRegistration(client)) {
            return;
        }
        if (identity_->client == ClientId{}) {
            identity_.reset();
            observer_.refused();
        }
        throw;
    }
    identity_ = std::move(fresh);
    observer_.registered(*identity_);
    client.exchangeKeys(*identity_);
}

/// A name can be taken by this very client, when a registration was cut off
/// between the name and the key.
bool Session::finishEarlierRegistration(Client& client) {
    if (!identity_ || identity_->client == ClientId{}) {
        return false;
    }
    try {
        client.exchangeKeys(*identity_);
        return true;
    } catch (const RefusedError&) {
        return false;
    }
}

Stored Session::store(const std::filesystem::path& file, std::string_view name) {
    int failed = 0;
    int lost = 0;
    for (;;) {
        signIn();
        try {
            const Transfer transfer = client_->send(
                file, name, [this](auto bytes, auto total) { observer_.sent(bytes, total); });
            if (transfer.matches()) {
                client_->confirm(name);
                return {transfer.size, transfer.ownCksum};
            }
            if (failed++ >= settings_.patience.retries) {
                client_->giveUp(name);
                throw wrongChecksum();
            }
            observer_.sendsAgain(wrongChecksum());
            client_->announceRetry(name);
        } catch (const RefusedError& e) {
            // The padding came out wrong, or the session ended: a new one helps.
            client_.reset();
            if (failed++ >= settings_.patience.retries) {
                throw;
            }
            observer_.sendsAgain(e);
        } catch (const ConnectionError& e) {
            client_.reset();
            if (lost++ >= settings_.patience.lostConnections) {
                throw;
            }
            observer_.sendsAgain(e);
        } catch (const ProtocolError&) {
            client_.reset();
            throw;
        }
    }
}

} // namespace coffer
