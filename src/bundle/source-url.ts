import { isIP } from 'node:net';
import { ThawError } from '../contract/thaw-error.ts';
import { isPublicAddress } from './public-address.ts';

/** Begins the names of environment variables that hold tokens for URLs: no request can have another one sent. */
export const tokenPrefix = 'THAW_URL_TOKEN_';

/** Which places may be read from besides the internet at large: `THAW_URL_ALLOW`. */
export class AllowedPlaces {
  readonly #places: ReadonlySet<string>;

  /** @param list hosts with or without port, and `s3://bucket`, with commas between */
  constructor(list: string | undefined) {
    const places = (list ?? '').split(',').map((place) => place.trim().toLowerCase());
    this.#places = new Set(places.filter((place) => place !== ''));
  }

  /** Whether a host may be of a private network, and be asked over plain HTTP. */
  allowsHost({ host, hostname }: URL): boolean {
    return this.#places.has(host) || this.#places.has(hostname);
  }

  allowsBucket(bucket: string): boolean {
    return this.#places.has(`s3://${bucket}`);
  }
}

/** A bundle at a URL: what is asked for it. */
export type SourceUrl =
  | { readonly kind: 'http'; readonly url: URL }
  /** A key that ends in `/` is the prefix of a bundle that lies there unpacked. */
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string };

/**
 * Reads the URL of a bundle.
 *
 * @throws ThawError `InputInvalid` for what is neither an https nor an S3 URL, and for one with credentials in it
 */
export function parseSourceUrl(text: string, allowed: AllowedPlaces): SourceUrl {
  if (!URL.canParse(text)) throw badUrl('it is no URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw badUrl('it holds a user name or password');
  if (url.protocol === 's3:') return s3Url(url);
  checkHttpUrl(url, allowed);
  return { kind: 'http', url };
}

/** @throws ThawError `InputInvalid` */
export function checkHttpUrl(url: URL, allowed: AllowedPlaces): void {
  const isHttp = url.protocol === 'https:' || url.protocol === 'http:';
  if (isHttp && allowed.allowsHost(url)) return;
  // Of an address that is written out nothing is looked up, when it is asked.
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isHttp && isIP(hostname) !== 0 && !isPublicAddress(hostname)) throw privateAddress(url);
  if (url.protocol === 'https:') return;
  throw badUrl(`only https and s3 are read, not ${url.protocol.slice(0, 20)}`);
}

function s3Url(url: URL): SourceUrl {
  const key = decodedPath(url);
  if (url.hostname === '' || key === '') throw badUrl('it must be s3://bucket/key');
  return { kind: 's3', bucket: url.hostname, key };
}

function decodedPath({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname.slice(1));
  } catch {
    throw badUrl('its path is not encoded as it should be');
  }
}

/** The variable that holds the token of a name. @throws ThawError `InputInvalid` */
export function tokenVariable(name: string): string {
  if (/^[A-Z0-9_]{1,64}$/.test(name)) return tokenPrefix + name;
  throw new ThawError('InputInvalid', 'options.token: must be a name of upper-case letters, digits and _', {
    object: 'options.token',
    hint: `It names the variable ${tokenPrefix}NAME of the workers.`,
  });
}

/** A host that lies in a private network, and is not allowed. */
export function privateAddress({ hostname }: URL): ThawError {
  return badUrl(`${hostname} is an address of a private network`);
}

/** A URL that no bundle is read from. */
export function badUrl(reason: string): ThawError {
  return new ThawError('InputInvalid', `the URL of the bundle: ${reason}`, {
    object: 'source_ref',
    hint: 'Name an https URL, or s3://bucket/key. THAW_URL_ALLOW of the workers lists hosts of private networks that may be read.',
  });
}
