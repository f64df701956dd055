# What backup.sh and restore.sh share: calls, the account, and its keys. They
# source it. It needs curl, jq and openssl.
set -euo pipefail
umask 077

url=${COFFER_URL:-http://127.0.0.1:5000}/api/v1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/headers"

# die MESSAGE...: ends the script.
die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# text VALUE...: makes sure that values are UTF-8: in anything else, jq would
# replace bytes, and another file or account would be meant.
text() {
	local value
	for value; do
		[ "$(jq -nj --arg v "$value" '$v'; echo .)" = "$value." ] || die "a name is not UTF-8: $(printf '%q' "$value")"
	done
}

# ask METHOD PATH [CURL-OPTION...]: makes a call, its answer in $work/answer; or
# fails with the problem's message. What may pass, like a restart of the server,
# is waited for.
ask() {
	local method=$1 path=$2 status
	shift 2
	# The headers hold secrets and go by file: arguments can be seen by others.
	status=$(curl -sS -o "$work/answer" -w '%{http_code}' --retry 8 --retry-connrefused --retry-max-time 120 \
		-X "$method" -H @"$work/headers" "$@" "$url$path") || die "$method $path: no answer"
	[ "$status" -lt 400 ] || die "$method $path: $(jq -r .message "$work/answer")"
}

# call METHOD PATH [JSON]: makes a call with or without JSON, and prints the answer.
call() {
	if [ $# -gt 2 ]; then
		ask "$1" "$2" -H 'Content-Type: application/json' --data-binary @- <<<"$3"
	else
		ask "$1" "$2"
	fi
	cat "$work/answer"
}

# sign_in ACCOUNT: signs in by name; the client id, which is secret, then goes
# with every call.
sign_in() {
	local token
	token=$(call POST /auth/login "$(jq -n --arg u "$(<"$1/username")" '{username: $u}')" | jq -r .session_token)
	printf 'Authorization: Bearer %s\nX-Client-ID: %s\n' "$token" "$(<"$1/client_id")" >"$work/headers"
}

# unwrap ACCOUNT: reads a wrapped session key in base64 from standard input, and
# prints the key's hexadecimal digits.
unwrap() {
	openssl base64 -d -A | openssl pkeyutl -decrypt -inkey "$1/key.pem" \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 |
		od -An -v -tx1 | tr -d ' \n'
}

# public_key ACCOUNT: prints the public key, DER.
public_key() { openssl pkey -in "$1/key.pem" -pubout -outform DER; }

# aes KEY OPTION...: what the protocol encrypts content with; each file has a
# key of its own. (openssl takes that key as an argument only, where others on
# the machine could see it while it runs.)
aes() { openssl enc -aes-256-cbc -iv 00000000000000000000000000000000 -K "$@"; }

# checksum FILE: prints the POSIX checksum as the API writes it.
checksum() { printf '0x%08x' "$(cksum <"$1" | cut -d ' ' -f 1)"; }
