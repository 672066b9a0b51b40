// Writes node.json: records as platforms on Node write them, by Node's own crypto.
// The two Laravel profiles follow Illuminate\Encryption\Encrypter: JSON with iv, value, mac and tag in base64, the MAC
// being HMAC-SHA256 over the iv and the value in base64.
//
//     node node.mjs > node.json
import crypto from 'node:crypto';

const PLAIN = ['s3cret', "p%40@'\"\\;`-- ü 密码 🔑", 'sixteen bytes ok', 'x', 'long '.repeat(2000) + '.'];
const SAMPLE = 'your-32-char-encryption-key-01'; // 30 characters, as the key in many a README

const encrypt = (key, iv, plain) => {
  const cipher = crypto.createCipheriv('aes-256-cbc', key, iv);
  return Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
};
const evp = (hash, pass, salt) => {
  let made = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (made.length < 48) {
    last = crypto.createHash(hash).update(last).update(pass).update(salt).digest();
    made = Buffer.concat([made, last]);
  }
  return [made.subarray(0, 32), made.subarray(32, 48)];
};
const padded = (pass) => {
  const key = Buffer.alloc(32);
  key.write(pass);
  return key;
};

const raw = crypto.randomBytes(24).toString('base64'); // 32 characters, used as 32 bytes
const bytes = crypto.randomBytes(32);
const forms = [
  { form: 'raw', given: raw, key: Buffer.from(raw) },
  { form: 'hex', given: bytes.toString('hex'), key: bytes },
  { form: 'base64', given: bytes.toString('base64'), key: bytes },
  { form: 'base64', given: 'base64:' + bytes.toString('base64'), key: bytes },
  { form: 'sha256', given: SAMPLE, key: crypto.createHash('sha256').update(SAMPLE).digest() },
  { form: 'scrypt', given: SAMPLE, salt: 'salt', key: crypto.scryptSync(SAMPLE, 'salt', 32) },
  { form: 'zero-padded', given: SAMPLE, key: padded(SAMPLE) },
  { form: 'evp-md5', given: SAMPLE, key: evp('md5', SAMPLE, Buffer.alloc(0))[0] },
  { form: 'evp-sha256', given: SAMPLE, salt: '8 bytes.', key: evp('sha256', SAMPLE, Buffer.from('8 bytes.'))[0] },
];
const laravel = (key, plain) => {
  const random = crypto.randomBytes(16);
  const iv = random.toString('base64');
  const value = encrypt(key, random, plain).toString('base64');
  const mac = crypto.createHmac('sha256', key).update(iv + value).digest('hex');
  return Buffer.from(JSON.stringify({ iv, value, mac, tag: '' })).toString('base64');
};
const profiles = {
  'iv-hex': (key, plain) => {
    const iv = crypto.randomBytes(16);
    return `${iv.toString('hex')}:${encrypt(key, iv, plain).toString('hex')}`;
  },
  'prefix-hex': (key, plain) => {
    const iv = crypto.randomBytes(16);
    return Buffer.concat([iv, encrypt(key, iv, plain)]).toString('hex');
  },
  'prefix-base64': (key, plain) => {
    const iv = crypto.randomBytes(16);
    return Buffer.concat([iv, encrypt(key, iv, plain)]).toString('base64');
  },
  laravel,
  'laravel-serialized': (key, plain) => laravel(key, `s:${Buffer.byteLength(plain)}:"${plain}";`),
};

const vectors = [];
for (const { form, given, salt, key } of forms) {
  for (const [profile, write] of Object.entries(profiles)) {
    for (const plain of PLAIN.slice(0, form === 'hex' ? PLAIN.length : 2)) {
      vectors.push({ profile, form, given, salt: salt ?? null, record: write(key, plain), plain });
    }
  }
}
console.log(JSON.stringify(vectors, null, 1));
