/**
 * Settings of functions that turn rows into JSON or back: what `to_jsonb` writes as text, such as intervals and ranges
 * of dates, depends on them.
 */
export const pitrTextSettings = `set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set bytea_output = 'hex'
  set extra_float_digits = 1 set timezone = 'UTC'`;
