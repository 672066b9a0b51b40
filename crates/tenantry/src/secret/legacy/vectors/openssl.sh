#!/bin/sh
# Writes openssl.json: records as the OpenSSL command line writes them.
#
#     sh openssl.sh > openssl.json
set -eu

pass='your-32-char-encryption-key-01'
key='000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
iv='f0e0d0c0b0a090807060504030201000'
first=1

vector() { # profile form given record plain
    [ "$first" = 1 ] || printf ',\n'
    first=0
    printf ' {"profile": "%s", "form": "%s", "given": "%s", "salt": null, "record": "%s", "plain": "%s"}' "$1" "$2" "$3" "$4" "$5"
}

printf '[\n'
for plain in 's3cret' 'pass word%@ü' 'sixteen bytes ok'; do
    for digest in md5 sha256; do
        # -A would join the lines; records are kept both ways.
        one=$(printf %s "$plain" | openssl enc -aes-256-cbc -a -A -md "$digest" -pass "pass:$pass" 2>/dev/null)
        vector salted "evp-$digest" "$pass" "$one" "$plain"
        lines=$(printf %s "$plain" | openssl enc -aes-256-cbc -a -md "$digest" -pass "pass:$pass" 2>/dev/null | awk '{printf "%s\\n", $0}')
        vector salted "evp-$digest" "$pass" "$lines" "$plain"
    done
    cipher=$(printf %s "$plain" | openssl enc -aes-256-cbc -K "$key" -iv "$iv" | od -An -v -tx1 | tr -d ' \n')
    vector iv-hex hex "$key" "$iv:$cipher" "$plain"
    vector prefix-hex hex "$key" "$iv$cipher" "$plain"
done
printf '\n]\n'
