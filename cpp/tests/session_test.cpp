#include <algorithm>

#include <doctest/doctest.h>

#include "coffer/cksum.hpp"
#include "coffer/session.hpp"
#include "fake_server.hpp"
#include "vectors.hpp"
#include "wire.hpp"

using namespace coffer;
using Codes = std::vector<unsigned>;

namespace {

/// An ordinary server, but for what a test changes: it knows one client, whose
/// key is the vectors', and gives out the session key that is wrapped for it.
struct Ordinary {
    std::uint32_t cksum = 0; // what it answers to a whole file

    FakeServer::Answer operator()(const FakeServer::Request& request) const {
        static const Bytes id = Vectors::bytes("client_id");
        static const Bytes wrapped = Vectors::bytes("wrapped", "rsa1024_e65537_sha256");
        switch (request.code) {
        case RequestCode::registerName:
            return respond(ResponseCode::registered, {id});
        case RequestCode::sendPublicKey:
            return respond(ResponseCode::sessionKey, {id, wrapped});
        case RequestCode::reconnect:
            return respond(ResponseCode::reconnected, {id, wrapped});
        case RequestCode::filePacket:
            return packet(request, id);
        case RequestCode::differs:
            return {}; // the client sends again at once
        case RequestCode::matches:
        case RequestCode::givesUp:
            return respond(ResponseCode::acknowledged, {id});
        }
        return respond(ResponseCode::cannotServe);
    }

    [[nodiscard]] FakeServer::Answer packet(const FakeServer::Request& request,
                                            const Bytes& id) const {
        Reader in(request.payload);
        static_cast<void>(in.u32());
        const std::uint32_t original = in.u32();
        const std::uint16_t number = in.u16();
        if (number != in.u16()) {
            return {};
        }
        const auto filename = in.array<255>();
        Writer size(4);
        size.u32(original - original % 16 + 16);
        Writer sum(4);
        sum.u32(cksum);
        const Bytes sizeField = size.take();
        const Bytes sumField = sum.take();
        return respond(ResponseCode::fileReceived, {id, sizeField, filename, sumField});
    }
};

Identity vectorIdentity() {
    Identity identity{
        "john_doe", {}, PrivateKey::fromDer(Vectors::bytes("private_key", "rsa1024_e65537"))};
    const Bytes id = Vectors::bytes("client_id");
    std::copy(id.begin(), id.end(), identity.client.begin());
    return identity;
}

class Recorder : public Observer {
public:
    void registering(const Identity& identity) override {
        if (diskFull) {
            throw FileError("no space left");
        }
        begun.push_back(identity);
    }
    void refused() override { ++refusals; }
    void registered(const Identity& identity) override { kept.push_back(identity); }
    void sent(std::uint64_t bytes, std::uint64_t total) override {
        lastSent = bytes;
        lastTotal = total;
    }
    void sendsAgain(const Error& /*why*/) override { ++sentAgain; }

    std::vector<Identity> begun;
    std::vector<Identity> kept;
    bool diskFull = false;
    int refusals = 0;
    int sentAgain = 0;
    std::uint64_t lastSent = 0;
    std::uint64_t lastTotal = 0;
};

/// A file, and a session with a server that has the script.
class Fixture {
public:
    explicit Fixture(FakeServer::Script script, std::optional<Identity> identity = vectorIdentity())
        : server(std::move(script)),
          session(settings(server.endpoint()), {"john_doe", std::move(identity)}, observer) {}

    static Session::Settings settings(const Endpoint& endpoint) {
        using std::chrono::milliseconds;
        Session::Settings settings{endpoint, {}, {}};
        settings.patience.unreachable = milliseconds(200);
        settings.patience.firstWait = milliseconds(1);
        settings.patience.longestWait = milliseconds(20);
        settings.patience.lostConnections = 2;
        return settings;
    }

    Stored store() { return session.store(file, "big file"); }

    // 3 packets, the last one short.
    static constexpr std::size_t size = 700'001;
    static std::uint32_t cksum() {
        coffer::Cksum sum;
        sum.update(Vectors::content(size));
        return sum.value();
    }

    TemporaryFolder folder;
    std::filesystem::path file = folder.write("file", Vectors::content(size));
    Recorder observer;
    FakeServer server;
    Session session;
};

} // namespace

TEST_CASE("session: reconnects, stores, and keeps the connection") {
    const Ordinary ordinary{Fixture::cksum()};
    int last = -1;
    Fixture f([&](const FakeServer::Request& request) {
        last = request.connection;
        CHECK(request.client == vectorIdentity().client);
        return ordinary(request);
    });
    const Stored stored = f.store();
    CHECK(stored.cksum == Fixture::cksum());
    CHECK(stored.size == Fixture::size);
    CHECK(f.observer.lastSent == 700'016);
    CHECK(f.observer.lastTotal == 700'016);
    f.store();
    CHECK(f.server.codes() == Codes{1027, 1028, 1029, 1028, 1029});
    CHECK(last == 0);
    CHECK(f.observer.kept.empty());
}

TEST_CASE("session: without an identity it registers, once") {
    // The server answers for a key it cannot know; what counts is what it was asked.
    Fixture f(Ordinary{Fixture::cksum()}, std::nullopt);
    CHECK_THROWS_AS(f.session.signIn(), KeyError);
    CHECK(f.server.codes() == Codes{1025, 1026});
    REQUIRE(f.observer.kept.size() == 1);
    CHECK(f.observer.kept[0].name == "john_doe");
    CHECK(f.observer.kept[0].client == vectorIdentity().client);
    CHECK(f.observer.kept[0].key.publicDer().size() == 162);
}

TEST_CASE("session: what 1606 means is registering again, with the same key") {
    const Ordinary ordinary{Fixture::cksum()};
    Fixture f([&](const FakeServer::Request& request) {
        return request.code == RequestCode::reconnect
                   ? respond(ResponseCode::reconnectDenied, {request.client})
                   : ordinary(request);
    });
    f.store();
    CHECK(f.server.codes() == Codes{1027, 1025, 1026, 1028, 1029});
    REQUIRE(f.observer.kept.size() == 1);
    CHECK(f.observer.kept[0].key.toDer() == vectorIdentity().key.toDer());
}

TEST_CASE("session: a registration that was cut off before the key is finished") {
    const Ordinary ordinary{Fixture::cksum()};
    Fixture f([&](const FakeServer::Request& request) {
        if (request.code == RequestCode::reconnect) {
            return respond(ResponseCode::reconnectDenied, {request.client});
        }
        return request.code == RequestCode::registerName ? respond(ResponseCode::nameRefused)
                                                         : ordinary(request);
    });
    f.store();
    CHECK(f.server.codes() == Codes{1027, 1025, 1026, 1028, 1029});
    CHECK(f.observer.kept.empty());
}

TEST_CASE("session: a name that is somebody else's ends it") {
    Fixture f([](const FakeServer::Request& request) {
        switch (request.code) {
        case RequestCode::reconnect:
            return respond(ResponseCode::reconnectDenied, {request.client});
        case RequestCode::registerName:
            return respond(ResponseCode::nameRefused);
        default:
            return respond(ResponseCode::cannotServe);
        }
    });
    CHECK_THROWS_AS(f.store(), NameRefusedError);
    CHECK(f.server.codes() == Codes{1027, 1025, 1026});
}

TEST_CASE("session: a wrong checksum is sent again, up to three times") {
    for (const int wrong : {1, 3}) {
        CAPTURE(wrong);
        Ordinary ordinary{Fixture::cksum() + 1};
        int left = wrong;
        Fixture f([&](const FakeServer::Request& request) {
            if (request.code == RequestCode::differs && --left == 0) {
                ordinary.cksum = Fixture::cksum();
            }
            return ordinary(request);
        });
        f.store();
        Codes want{1027, 1028};
        for (int i = 0; i < wrong; ++i) {
            want.insert(want.end(), {1030, 1028});
        }
        want.push_back(1029);
        CHECK(f.server.codes() == want);
        CHECK(f.observer.sentAgain == wrong);
    }
}

TEST_CASE("session: the fourth wrong checksum is given up, and other files go on") {
    Ordinary ordinary{Fixture::cksum() + 1};
    Fixture f([&](const FakeServer::Request& request) { return ordinary(request); });
    CHECK_THROWS_AS(f.store(), ChecksumError);
    CHECK(f.server.codes() == Codes{1027, 1028, 1030, 1028, 1030, 1028, 1030, 1028, 1031});
    ordinary.cksum = Fixture::cksum();
    f.store();
    CHECK(f.server.codes().size() == 11); // 1028, 1029, on the same connection
}

TEST_CASE("session: a refusal is tried again with a new session key") {
    const Ordinary ordinary{Fixture::cksum()};
    int refusals = 1;
    Fixture f([&](const FakeServer::Request& request) {
        const bool refuses = request.code == RequestCode::filePacket && refusals-- > 0;
        return refuses ? respond(ResponseCode::cannotServe) : ordinary(request);
    });
    f.store();
    CHECK(f.observer.sentAgain == 1);
    CHECK(f.server.codes() == Codes{1027, 1028, 1027, 1028, 1029});

    refusals = 1'000'000;
    CHECK_THROWS_AS(f.store(), RefusedError);
    CHECK(f.observer.sentAgain == 1 + 3);
}

TEST_CASE("session: a connection that breaks is made again, a number of times") {
    const Ordinary ordinary{Fixture::cksum()};
    int breaks = 2;
    Fixture f([&](const FakeServer::Request& request) {
        auto answer = ordinary(request);
        if (!answer.bytes.empty() && request.code == RequestCode::filePacket && breaks-- > 0) {
            answer = {{}, true};
        }
        return answer;
    });
    f.store();
    CHECK(f.server.codes() == Codes{1027, 1028, 1027, 1028, 1027, 1028, 1029});

    breaks = 1'000'000;
    CHECK_THROWS_AS(f.store(), ConnectionError);
}

TEST_CASE("session: a server that is not there, or stays silent, is given up") {
    Recorder observer;
    const Endpoint nobody = [] { return FakeServer(Ordinary{}).endpoint(); }();
    Session unreachable(Fixture::settings(nobody), {"john_doe", vectorIdentity()}, observer);
    CHECK_THROWS_AS(unreachable.signIn(), ConnectionError);

    FakeServer server([](const FakeServer::Request& /*request*/) { return FakeServer::Answer{}; });
    auto settings = Fixture::settings(server.endpoint());
    settings.limits.answer = std::chrono::milliseconds(20);
    Session silent(settings, {"john_doe", vectorIdentity()}, observer);
    CHECK_THROWS_WITH_AS(silent.signIn(), doctest::Contains("took longer"), ConnectionError);
}

TEST_CASE("session: answers that break the protocol end it") {
    const Ordinary ordinary{Fixture::cksum()};
    const Bytes id = Vectors::bytes("client_id");
    const Bytes otherId(16);
    const Bytes tooLong(16 + 2049);
    for (const auto& answer :
         {respond(ResponseCode::acknowledged, {id}), respond(ResponseCode::registered, {otherId}),
          respond(ResponseCode::reconnected, {tooLong}), FakeServer::Answer{Bytes(7)}}) {
        Fixture f([&](const FakeServer::Request& /*request*/) { return answer; });
        CHECK_THROWS_AS(f.store(), ProtocolError);
        CHECK(f.server.codes() == Codes{1027});
    }
    // Answers for another client, and for another file.
    Fixture other([&](const FakeServer::Request& request) {
        auto answer = ordinary(request);
        if (request.code == RequestCode::reconnect) {
            answer.bytes[responseHeaderSize] ^= 1U;
        }
        return answer;
    });
    CHECK_THROWS_AS(other.store(), ProtocolError);
    Fixture file([&](const FakeServer::Request& request) {
        auto answer = ordinary(request);
        if (request.code == RequestCode::filePacket && !answer.bytes.empty()) {
            answer.bytes[responseHeaderSize + 20] ^= 1U; // the filename
        }
        return answer;
    });
    CHECK_THROWS_AS(file.store(), ProtocolError);
}

TEST_CASE("session: the key is kept before the server is told the name") {
    Recorder observer;
    observer.diskFull = true;
    FakeServer server(Ordinary{});
    Session full(Fixture::settings(server.endpoint()), {"john_doe", std::nullopt, 1024}, observer);
    CHECK_THROWS_AS(full.signIn(), FileError);
    CHECK(server.codes().empty());
}

TEST_CASE("session: a registration that was cut off goes on with the key that was kept") {
    // What is kept at first has the key, and no id.
    Identity begun = vectorIdentity();
    begun.client = {};
    Fixture f(Ordinary{Fixture::cksum()}, begun);
    f.session.signIn();
    CHECK(f.server.codes() == Codes{1025, 1026});
    REQUIRE(f.observer.kept.size() == 1);
    CHECK(f.observer.kept[0].client == vectorIdentity().client);
    CHECK(f.observer.begun.empty());

    // Cut before the answer to 1025, it is asked for once more with the same key.
    Recorder observer;
    int asked = 0;
    FakeServer cut([&](const FakeServer::Request& request) {
        if (request.code == RequestCode::registerName && asked++ == 0) {
            return FakeServer::Answer{{}, true};
        }
        return Ordinary{}(request);
    });
    Session session(Fixture::settings(cut.endpoint()), {"john_doe", std::nullopt, 1024}, observer);
    CHECK_THROWS(session.signIn()); // the vectors' session key is for another key
    REQUIRE(observer.begun.size() == 1);
    REQUIRE(observer.kept.size() == 1);
    CHECK(observer.begun[0].key.toDer() == observer.kept[0].key.toDer());
}

TEST_CASE("session: of a name that is refused nothing is kept") {
    Fixture f([](const FakeServer::Request& /*request*/) { return respond(ResponseCode::nameRefused); },
              std::nullopt);
    CHECK_THROWS_AS(f.session.signIn(), NameRefusedError);
    CHECK(f.observer.begun.size() == 1);
    CHECK(f.observer.refusals == 1);
    CHECK(f.observer.kept.empty());
}

TEST_CASE("session: a file that cannot be read is an error of that file") {
    Fixture f(Ordinary{Fixture::cksum()});
    CHECK_THROWS_AS(f.session.store(f.folder.path() / "none", "none"), FileError);
    CHECK_THROWS_AS(f.session.store(f.file, std::string(255, 'x')), FileError);
    f.store();
    CHECK(f.server.codes() == Codes{1027, 1028, 1029});
}
