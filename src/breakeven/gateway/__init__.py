"""One OpenAI-compatible door that routes by a plan and knows what each request cost.

Before the first request: ``config`` (what gateway.yaml says), ``from_plan`` (what a plan says), ``credentials`` and
``providers`` (keys and addresses), ``rules`` (all of it, frozen and checked), ``connect`` (upstreams to be asked).

A request's journey: ``serve`` (the socket), ``app`` (which path), ``caller`` (headers, body, hang-up), ``exchange``
(the journey itself), ``asked`` (the fields that routing needs), ``ledger`` (may it enter), ``route`` over ``live``
(who is asked), ``attempt`` (asking one), ``upstream`` and ``openai_compatible`` (the wire), ``sse`` (frames on their
way back), ``usage``, ``pricing`` and ``hire`` (tokens and dollars), ``tally`` and ``records`` (what is left of it);
``refusal`` where it ends early, ``logbook`` where something is worth a line.
"""
