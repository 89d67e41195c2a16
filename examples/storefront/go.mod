module storefront

go 1.25

require rootbridge v0.0.0

replace rootbridge => ../../go-host
