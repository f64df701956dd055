#include <doctest/doctest.h>

#include "coffer/error.hpp"
#include "coffer/keys.hpp"
#include "vectors.hpp"

using coffer::Bytes;
using coffer::PrivateKey;

TEST_CASE("keys: openssl's keys, both halves, byte for byte") {
    for (const auto& [label, hex] : Vectors::of("private_key")) {
        CAPTURE(label);
        const PrivateKey key = PrivateKey::fromDer(fromHex(hex));
        CHECK(toHex(key.publicDer()) == Vectors::value("public_key", label));
        CHECK(PrivateKey::fromDer(key.toDer()).toDer() == key.toDer());
    }
}

TEST_CASE("keys: session keys wrapped with SHA-256, and for deployed clients SHA-1, open") {
    for (const auto& [label, hex] : Vectors::of("wrapped")) {
        CAPTURE(label);
        const auto owner = label.substr(0, label.rfind('_'));
        const PrivateKey key = PrivateKey::fromDer(Vectors::bytes("private_key", owner));
        Bytes wrapped = fromHex(hex);
        CHECK(toHex(key.unwrap(wrapped).bytes()) == Vectors::value("session_key"));

        wrapped[wrapped.size() / 2] ^= 1U;
        CHECK_THROWS_AS(static_cast<void>(key.unwrap(wrapped)), coffer::KeyError);
        wrapped.pop_back();
        CHECK_THROWS_AS(static_cast<void>(key.unwrap(wrapped)), coffer::KeyError);
    }
}

TEST_CASE("keys: a new one has the protocol's 162 bytes, or more bits when asked") {
    const PrivateKey key = PrivateKey::generate();
    CHECK(key.publicDer().size() == 162);
    CHECK(PrivateKey::fromDer(key.toDer()).publicDer() == key.publicDer());
    CHECK(PrivateKey::generate(2048).publicDer().size() == 294);
    CHECK_THROWS_AS(static_cast<void>(PrivateKey::generate(512)), coffer::KeyError);
}

TEST_CASE("keys: damaged ones are refused") {
    Bytes der = Vectors::bytes("private_key", "rsa1024_e65537");
    CHECK_THROWS_AS(static_cast<void>(PrivateKey::fromDer({})), coffer::KeyError);
    CHECK_THROWS_AS(static_cast<void>(PrivateKey::fromDer(coffer::ByteView(der).first(100))),
                    coffer::KeyError);
    der[60] ^= 1U; // in the modulus
    CHECK_THROWS_AS(static_cast<void>(PrivateKey::fromDer(der)), coffer::KeyError);
}
