package Test::Registry::Answer;

# What came back: {status}, {headers} (lower-case names to lists of values),
# {body}, {head} (as received), {cut}.
#
#     $a->header('Location');      repeated values joined by ", "; or undef
#     $a->json;                    the body, or undef if it is not JSON
#     $a->code;                    the first error's code, or ''
#     "$a"                         one line that says it all

use strict;
use warnings;

use JSON::PP;

use overload '""' => \&summary, bool => sub { 1 }, fallback => 1;


sub new {
    my ($class) = @_;

    return bless {
        status => 0, headers => {}, body => '', head => '', cut => 0,
    }, $class;
}


sub header {
    my ($self, $name) = @_;

    my $values = $self->{headers}{ lc $name } or return undef;
    return join(', ', @$values);
}


sub json {
    my ($self) = @_;

    return eval { JSON::PP->new->utf8->decode($self->{body}) };
}


sub errors {
    my ($self) = @_;

    my $json = $self->json;
    return ref $json eq 'HASH' && ref $json->{errors} eq 'ARRAY'
        ? @{ $json->{errors} } : ();
}


sub code {
    my ($self) = @_;

    my ($first) = $self->errors;
    return ref $first eq 'HASH' ? $first->{code} // '' : '';
}


sub summary {
    my ($self) = @_;

    my $body = substr($self->{body}, 0, 300);
    $body =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;

    return "$self->{status} $body" . ($self->{cut} ? ' (cut)' : '');
}

1;
