with comments as (
    {{ rows_of('ticket_comments', [
        ['id', 'long'], ['ticket_id', 'long'], ['type', 'string'], ['body', 'string'], ['public', 'boolean'],
        ['author_id', 'long'], ['via', 'string'], ['created_at', 'timestamp'],
    ], deleted=true) }}
)
select
    {{ fivetran_columns_of('ticket_comment', same=['id', 'ticket_id', 'body', 'public'], made={
        'user_id': name('author_id'), 'created': name('created_at'),
        'voice_comment': "coalesce(" ~ name('type') ~ ", '') = 'VoiceComment'",
        'facebook_comment': "lower(coalesce(" ~ name('via') ~ ", '')) like '%facebook%'",
        'tweet': "lower(coalesce(" ~ name('via') ~ ", '')) like '%twitter%'",
    }) }}
from comments
