#pragma once

#include <stdexcept>

/// The errors of the library. Each says, in a sentence for a person, what was
/// being done; a program branches on the type. None of them holds a client id
/// or a key.

namespace coffer {

class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The connection could not be made, broke, or stood still. Another one may do
/// better.
class ConnectionError : public Error {
public:
    using Error::Error;
};

/// The server answered what the protocol does not allow.
class ProtocolError : public Error {
public:
    using Error::Error;
};

/// 1607: the server cannot serve the request.
class RefusedError : public Error {
public:
    using Error::Error;
};

/// 1601: the name is taken, or not acceptable.
class NameRefusedError : public Error {
public:
    using Error::Error;
};

/// 1606: the server does not know this client.
class ReconnectDeniedError : public Error {
public:
    using Error::Error;
};

/// What arrived was not what was sent, every time it was tried.
class ChecksumError : public Error {
public:
    using Error::Error;
};

/// A file here cannot be read or written, or is none the protocol can carry.
class FileError : public Error {
public:
    using Error::Error;
};

/// A key is not what it should be, or does not open what it should.
class KeyError : public Error {
public:
    using Error::Error;
};

} // namespace coffer
