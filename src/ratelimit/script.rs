//! How Redis counts: one script for each way. All take a key and some numbers, and say whether the request passes, how many more
//! do, and after how many milliseconds that is another number by itself. Redis' own clock counts, as proxies have several.

use xxhash_rust::xxh3::xxh3_128;

use super::asked::Asked;
use crate::model::shared_limit::How;

/// Bytes of a key up to which it stands for itself in Redis.
const LONGEST: usize = 200;

/// The span begins with the first request.
const FIXED: &str = "
local most, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], span)
  left = span
end
return {used <= most and 1 or 0, math.max(most - used, 0), left}";

/// What lies in the span that ends now: all of its part in this turn of the clock, and of the turn before as much as is its share.
const SLIDING: &str = "
local most, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
local turn = math.floor(millis / span)
local into = millis - turn * span
local known = redis.call('HMGET', KEYS[1], 'turn', 'used', 'before')
local last, used, before = tonumber(known[1]), tonumber(known[2]) or 0, tonumber(known[3]) or 0
if last ~= turn then
  before = last == turn - 1 and used or 0
  used = 0
end
local all = before * (span - into) / span + used
if all + 1 > most then
  return {0, 0, span - into}
end
redis.call('HSET', KEYS[1], 'turn', turn, 'used', used + 1, 'before', before)
redis.call('PEXPIRE', KEYS[1], 2 * span)
return {1, math.floor(most - all - 1), span - into}";

/// What has come leaks at a rate, in thousandths of a request; no more than a burst stays.
const LEAKY: &str = "
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'excess', 'at')
local excess = 0
if known[1] then
  local leaked = rate * math.max(millis - tonumber(known[2]), 0) / 1000
  excess = math.max(tonumber(known[1]) - leaked + 1000, 0)
end
if excess > burst then
  return {0, 0, math.ceil((excess - burst) * 1000 / rate)}
end
redis.call('HSET', KEYS[1], 'excess', tostring(excess), 'at', string.format('%d', millis))
redis.call('PEXPIRE', KEYS[1], math.ceil((excess + 1000) * 1000 / rate))
return {1, math.floor((burst - excess) / 1000), math.ceil(1000000 / rate)}";

/// Those that have begun and not ended, each with the time until which it is counted.
const FLYING: &str = "
local most, span, own = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = redis.call('TIME')
local millis = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', millis))
local used = redis.call('ZCARD', KEYS[1])
if used >= most then
  return {0, 0, 0}
end
redis.call('ZADD', KEYS[1], string.format('%d', millis + span), own)
redis.call('PEXPIRE', KEYS[1], span)
return {1, most - used - 1, 0}";

/// One of them ends.
const ENDED: &str = "
redis.call('ZREM', KEYS[1], ARGV[1])
return {1, 0, 0}";

/// What keys of those begin with.
const OF_FLYING: &str = "chancery:flying:";

/// What is sent to Redis for a limit.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    pub script: &'static str,
    pub key: String,
    pub numbers: Vec<u64>,
}

/// Counts a request, which is known by this number until it ends.
pub fn call(asked: &Asked, own: u64) -> Call {
    let (script, name, numbers) = match asked.limit.how {
        How::Fixed { count, seconds } => (FIXED, "fixed", vec![count.into(), millis(seconds)]),
        How::Sliding { count, seconds } => {
            (SLIDING, "sliding", vec![count.into(), millis(seconds)])
        }
        How::Leaky { thousandths, burst } => {
            (LEAKY, "leaky", vec![thousandths.into(), burst.into()])
        }
        How::Flying { most, seconds } => {
            (FLYING, "flying", vec![most.into(), millis(seconds), own])
        }
    };
    // What clients say stands in it, and may be long.
    let key = match asked.key.as_str() {
        short if short.len() <= LONGEST && !short.contains('\n') => short.to_owned(),
        long => format!("{:032x}", xxh3_128(long.as_bytes())),
    };
    Call {
        script,
        key: format!("chancery:{name}:{key}"),
        numbers,
    }
}

/// Ends one; nothing where that is none's key.
pub fn end(key: &str, own: u64) -> Option<Call> {
    key.starts_with(OF_FLYING).then(|| Call {
        script: ENDED,
        key: key.to_owned(),
        numbers: vec![own],
    })
}

fn millis(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(limit: &str, key: &str) -> Call {
        let asked = Asked {
            limit: limit.parse().unwrap(),
            key: key.to_owned(),
        };
        call(&asked, 7)
    }

    #[test]
    fn a_key_names_how_it_is_counted_and_is_short() {
        let fixed = made("fixed 5/60 a:1/0", "route/x|1.2.3.4");
        assert_eq!(fixed.key, "chancery:fixed:route/x|1.2.3.4");
        assert_eq!(fixed.numbers, [5, 60_000]);
        // Of one route, by the same variable, two ways to count do not meet.
        let sliding = made("sliding 5/60 a:1/0", "route/x|1.2.3.4");
        assert_eq!(sliding.key, "chancery:sliding:route/x|1.2.3.4");
        let leaky = made("leaky 1500/3 a:1/0", &"x".repeat(10_000));
        assert_eq!(leaky.numbers, [1500, 3]);
        assert_eq!(leaky.key.len(), "chancery:leaky:".len() + 32);
        let flying = made("flying 3/60 a:1/0", "k");
        assert_eq!(flying.numbers, [3, 60_000, 7]);
        assert_eq!(end(&flying.key, 7).unwrap().numbers, [7]);
        assert_eq!(end(&fixed.key, 7), None);
    }
}
